//! What people see, as in `src/page`.

mod assets;
mod bucket;
mod content;
mod hostile;
mod locale;
mod look;
mod policy;
mod sample;
mod template;
