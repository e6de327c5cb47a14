//! Chance: the only file that asks the system for it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Where unguessable bytes come from.
pub trait Random: Send + Sync {
    /// Fills `bytes` with bytes that nobody can predict.
    fn fill(&self, bytes: &mut [u8]);

    /// A fresh identifier of 256 bits as unpadded base64url: 43 characters, fit for codes, tokens and cookies.
    fn token(&self) -> String {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A fresh identifier of 128 bits, for names that are unique but not secret (`jti`, request ids): 22 characters.
    fn identifier(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// The system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one home of the system's chance")]
    fn fill(&self, bytes: &mut [u8]) {
        // A system that cannot give entropy must not hand out tokens: stopping is the only safe answer.
        aws_lc_rs::rand::fill(bytes).expect("the system's random number generator failed");
    }
}
