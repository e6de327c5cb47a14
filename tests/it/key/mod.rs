//! The life of signing keys: `src/key`.

mod harness;
mod memory;
mod signing;
