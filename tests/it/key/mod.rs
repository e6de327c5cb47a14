//! The life of signing keys: `src/key`.

mod capabilities;
mod commands;
mod damage;
mod harness;
mod history;
mod life;
mod many_rotations;
mod memory;
mod moving;
mod older;
mod policy;
mod property;
mod provenance;
mod shared_secret;
mod signing;
mod sleepers;
mod trust;
