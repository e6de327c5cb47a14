//! Which calendars of keys are refused, and how.

use std::time::Duration;

use uitsmijter::key::{PolicyOverrides, RotationPolicy};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

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
