//! Randomness: the only file that asks the system for it.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A source of unpredictable bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes` with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// A fresh identifier of 256 bits as unpadded base64url: 43 characters, fit for codes, tokens and cookies.
    fn token(&self) -> String {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A fresh identifier of 128 bits, for names that are unique but not secret (`jti`): 22 characters.
    fn identifier(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// Names that are unique but not secret, at the cost of an addition: one for every request.
pub struct Series {
    of: u64,
    next: AtomicU64,
    step: u64,
}

impl Series {
    /// A sequence that overlaps with no other, here or in another process.
    pub fn new(random: &dyn Random) -> Self {
        let [mut of, mut next, mut step] = [[0; 8]; 3];
        [&mut of, &mut next, &mut step].into_iter().for_each(|bytes| random.fill(bytes));
        // An odd step visits every number once. Its secrecy hides how many requests there were.
        let (of, next, step) = (u64::from_le_bytes(of), u64::from_le_bytes(next), u64::from_le_bytes(step) | 1);
        Self { of, next: AtomicU64::new(next), step }
    }

    /// The next name: 22 characters, in the format of [`Random::identifier`].
    pub fn name(&self) -> String {
        let number = self.next.fetch_add(self.step, Ordering::Relaxed);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes[8..].copy_from_slice(&self.of.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// The system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one home of the system's chance")]
    fn fill(&self, bytes: &mut [u8]) {
        // A system without entropy must not issue tokens: stopping is the only safe answer.
        aws_lc_rs::rand::fill(bytes).expect("the system's random number generator failed");
    }
}
