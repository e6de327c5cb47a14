//! The life of signing keys: `src/key`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod harness;
mod history;
mod life;
mod memory;
mod property;
mod signing;
