//! The calendar of a key: how long it signs, how long before it is announced, how long after it is published.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::key::record::SKEW;

/// When keys come and go. All replicas should have the same; where they differ, tokens stay safe all the same.
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

/// What a tenant wants otherwise.
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
    /// This policy with what a tenant wants otherwise, if the result is reasonable.
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

    /// The longest of each period: what one set of keys needs that serves under both policies.
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
        let say = |name: &str, span: &Duration| format!("{name}: {}", period_text(*span));
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
            period_text(lifetime),
            period_text(self.grace)
        );
        Ok(())
    }
}

/// Reads `90d`, `24h`, `10m`, `30s`, or a plain number of seconds.
pub fn parse_period(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => 0,
    };
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(seconds) if unit > 0 && i64::try_from(seconds).is_ok() => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("{text:?} is not a period; write a whole number and a unit, as in 90d, 24h, 10m or 30s")),
    }
}

/// The shortest way to write `span` that [`parse_period`] reads back.
pub fn period_text(span: Duration) -> String {
    let seconds = span.as_secs();
    match [("d", DAY), ("h", HOUR), ("m", MINUTE)].iter().find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit))
    {
        Some((name, unit)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

/// For optional periods in settings and tenant files.
pub mod optional_period {
    use super::*;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }

    /// Writes the short form.
    pub fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        span.map(period_text).serialize(serializer)
    }

    /// Reads the short form, or seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(match Option::<Written>::deserialize(deserializer)? {
            None => None,
            Some(Written::Number(seconds)) => Some(Duration::from_secs(seconds)),
            Some(Written::Text(text)) => Some(parse_period(&text).map_err(de::Error::custom)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_as_they_are_written() {
        for (text, seconds) in
            [("90d", 90 * DAY), ("24h", DAY), ("10m", 600), ("30s", 30), ("45", 45), ("2w", 14 * DAY)]
        {
            assert_eq!(parse_period(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "-1d", "1.5h", "1y", "99999999999999999999d", "1 d"] {
            assert!(parse_period(text).unwrap_err().contains("90d"), "{text}");
        }
        assert_eq!(period_text(Duration::from_secs(DAY)), "1d");
        assert_eq!(period_text(Duration::from_secs(90)), "90s");
        assert_eq!(period_text(Duration::ZERO), "0s");
    }

    #[test]
    fn an_unreasonable_policy_is_refused_with_both_values() {
        let policy = RotationPolicy { announce: Duration::from_secs(600), ..RotationPolicy::default() };
        assert_eq!(
            policy.check().unwrap_err().to_string(),
            "announce: 10m is shorter than jwks_max_age: 1h; caches would meet an unknown kid"
        );
        let overrides = PolicyOverrides { rotate_every: Some(Duration::from_secs(HOUR)), ..Default::default() };
        let error = RotationPolicy::default().with(Some(&overrides)).unwrap_err().to_string();
        assert!(error.contains("rotate_every: 1h") && error.contains("announce: 1d"), "{error}");
        let error = RotationPolicy::default().check_lifetime("client shop", Duration::from_secs(8 * DAY)).unwrap_err();
        assert!(error.to_string().contains("8d") && error.to_string().contains("grace: 7d"), "{error}");
    }
}
