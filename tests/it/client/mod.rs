//! Client authentication, as in `src/client`.

mod assertion;
mod secret;
