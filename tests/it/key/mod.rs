//! The life of signing keys: `src/key`.

mod commands;
mod harness;
mod history;
mod life;
mod memory;
mod property;
mod signing;
