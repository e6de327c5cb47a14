//! Time and randomness under the control of a test. `src` has no test doubles.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use uitsmijter::clock::{Clock, Timestamp};
use uitsmijter::random::Random;

/// A clock that stands still until a test moves it. Clones show the same time.
#[derive(Clone, Debug)]
pub(crate) struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `now`.
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.0)))
    }

    /// Shows `now` from here on.
    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Lets `span` pass, in whole seconds.
    pub(crate) fn advance(&self, span: Duration) {
        self.set(self.now() + span);
    }
}

impl Default for ManualClock {
    /// Some day in the present, so that keys and certificates made for tests are valid.
    fn default() -> Self {
        Self::at(Timestamp(1_800_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Randomness that counts: never the same bytes twice, always the same sequence. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct CountingRandom(Arc<AtomicU64>);

impl Random for CountingRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        bytes.fill(0);
        // The count is at the end, so that short requests differ too.
        for (byte, digit) in bytes.iter_mut().rev().zip(count.to_le_bytes()) {
            *byte = digit;
        }
    }
}

#[test]
fn counting_chance_never_repeats_itself() {
    let random = CountingRandom::default();
    let first = random.clone().token();
    assert_ne!(first, random.token());
    assert_eq!(first, CountingRandom::default().token());
}
