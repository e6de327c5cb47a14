//! What people see, as in `src/page`.

mod bucket;
mod look;
mod template;
