//! The size of a test, and randomness.

use uitsmijter::random::{Random, SystemRandom};

/// Repetitions: the first number in everyday tests, the second with `FULL=1`.
pub(crate) fn rounds(short: usize, full: usize) -> usize {
    match std::env::var("FULL").as_deref() {
        Ok("1") => full,
        _ => short,
    }
}

/// A number below `bound`.
pub(crate) fn chance(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    u64::from_le_bytes(bytes) % bound
}
