//! What is remembered of how a tenant's scripts behaved. Who computes long makes way for others; who has to be stopped
//! pauses, each time for longer.

use std::time::Duration;

use tokio::time::Instant;

/// How long a tenant makes way for others after a long turn, and how long it is remembered that it had to be stopped.
const REMEMBERED: Duration = Duration::from_secs(600);
/// After so long, half of what a tenant has computed is forgotten.
const HALF_LIFE: Duration = Duration::from_secs(10);
/// The first pause, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// One tenant's.
pub(super) struct Standing {
    computed: Duration,
    counted_at: Instant,
    heavy_until: Instant,
    strikes: u32,
    paused_until: Instant,
}

impl Standing {
    /// That of a tenant of whom nothing is known.
    pub(super) fn new(now: Instant) -> Self {
        Self { computed: Duration::ZERO, counted_at: now, heavy_until: now, strikes: 0, paused_until: now }
    }

    /// A turn computed for so long.
    pub(super) fn count(&mut self, computed: Duration, now: Instant) {
        self.computed = self.computed(now) + computed;
        self.counted_at = now;
    }

    /// What the tenant has computed lately.
    pub(super) fn computed(&self, now: Instant) -> Duration {
        let halves = now.duration_since(self.counted_at).div_duration_f32(HALF_LIFE);
        self.computed.mul_f32(0.5_f32.powf(halves))
    }

    /// A turn was long.
    pub(super) fn was_long(&mut self, now: Instant) {
        self.heavy_until = now + REMEMBERED;
    }

    /// A script had to be stopped. The answers of those that were under way together are one reason to pause.
    pub(super) fn strike(&mut self, now: Instant) {
        if now < self.paused_until {
            return;
        }
        if now >= self.paused_until + REMEMBERED {
            self.strikes = 0;
        }
        self.paused_until = now + FIRST_PAUSE.saturating_mul(1 << self.strikes.min(10)).min(LONGEST_PAUSE);
        self.strikes = self.strikes.saturating_add(1);
        self.was_long(now);
    }

    /// Whether the tenant makes way for others.
    pub(super) fn is_heavy(&self, now: Instant) -> bool {
        now < self.heavy_until
    }

    /// How long no script of the tenant runs.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        Some(self.paused_until.duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Whether nothing is left to remember.
    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        !self.is_heavy(now) && now >= self.paused_until + REMEMBERED && self.computed(now) < Duration::from_millis(1)
    }
}
