//! The calendar of a key: how long it signs, how long before it is announced, how long after it is published.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::key::record::SKEW;
use crate::protocol::duration;

/// When keys come and go. All replicas should have the same policy; where they differ, tokens stay safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// How long a key signs.
    pub rotate_every: Duration,
    /// How long a key is published before it signs.
    pub announce: Duration,
    /// How long a key is published after it has stopped signing; no token may live longer than this.
    pub grace: Duration,
    /// For how long the world may cache the JWKS.
    pub jwks_max_age: Duration,
}

/// What a tenant overrides.
pub use crate::registry::tenant::SigningOverrides as PolicyOverrides;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Default for RotationPolicy {
    fn default() -> Self {
        Self {
            rotate_every: Duration::from_secs(90 * DAY),
            announce: Duration::from_secs(DAY),
            grace: Duration::from_secs(7 * DAY),
            jwks_max_age: Duration::from_secs(HOUR),
        }
    }
}

impl RotationPolicy {
    /// This policy with what a tenant overrides, if the result is reasonable.
    pub fn with(&self, overrides: Option<&PolicyOverrides>) -> Result<Self> {
        let mut policy = self.clone();
        if let Some(overrides) = overrides {
            policy.rotate_every = overrides.rotate_every.unwrap_or(policy.rotate_every);
            policy.announce = overrides.announce.unwrap_or(policy.announce);
            policy.grace = overrides.grace.unwrap_or(policy.grace);
        }
        policy.check()?;
        Ok(policy)
    }

    /// The longer of each period: a set of keys with this policy serves both.
    pub fn or_longer(&self, other: &Self) -> Self {
        Self {
            rotate_every: self.rotate_every.max(other.rotate_every),
            announce: self.announce.max(other.announce),
            grace: self.grace.max(other.grace),
            jwks_max_age: self.jwks_max_age.max(other.jwks_max_age),
        }
    }

    /// Refuses what could not work, with a sentence that names both values.
    pub fn check(&self) -> Result<()> {
        let Self { rotate_every, announce, grace, jwks_max_age } = self;
        let say = |name: &str, span: &Duration| format!("{name}: {}", duration::write(*span));
        ensure!(
            announce >= jwks_max_age,
            "{} is shorter than {}; caches would meet an unknown kid",
            say("announce", announce),
            say("jwks_max_age", jwks_max_age)
        );
        ensure!(
            *announce >= *jwks_max_age + SKEW,
            "{} leaves no time to fetch the JWKS after {}; make it at least a minute longer",
            say("announce", announce),
            say("jwks_max_age", jwks_max_age)
        );
        ensure!(
            rotate_every > announce,
            "{} is not longer than {}; the next key would have to be announced before this one signs",
            say("rotate_every", rotate_every),
            say("announce", announce)
        );
        ensure!(
            grace >= jwks_max_age,
            "{} is shorter than {}; tokens would outlive the key that verifies them",
            say("grace", grace),
            say("jwks_max_age", jwks_max_age)
        );
        Ok(())
    }

    /// Refuses a token lifetime that is longer than a retired key is published.
    pub fn check_lifetime(&self, whose: &str, lifetime: Duration) -> Result<()> {
        ensure!(
            lifetime <= self.grace,
            "{whose}: {} is longer than grace: {}; its tokens would outlive the key that verifies them",
            duration::write(lifetime),
            duration::write(self.grace)
        );
        Ok(())
    }
}
