//! The life of signing keys: `src/key`.

mod commands;
mod harness;
mod history;
mod life;
mod many_rotations;
mod memory;
mod older_redis;
mod property;
mod signing;
