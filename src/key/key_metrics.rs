//! Gauges of the signing keys, computed when they are scraped, so that they are never out of date.

use std::fmt;
use std::sync::Weak;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::clock::Timestamp;
use crate::key::key_ring::KeyRing;
use crate::key::keychain::Keychain;
use crate::key::record::StoredKey;
use crate::key::snapshot::Snapshot;

/// The gauges of all sets in use. It does not keep the signers alive.
pub struct KeyMetrics(pub Weak<Keychain>);

type Series = (Vec<(&'static str, String)>, i64);

impl fmt::Debug for KeyMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMetrics")
    }
}

impl Collector for KeyMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(keychain) = self.0.upgrade() else { return Ok(()) };
        let now = keychain.keys.clock.now();
        let rings: Vec<_> =
            keychain.rings.values().into_iter().filter_map(|ring| Some((ring.snapshot()?, ring))).collect();
        let keys = || rings.iter().flat_map(|(set, ring)| set.set().keys.iter().map(move |key| (&**ring, &**set, key)));
        let mut gauge = |name: &str, help: &str, series: Vec<Series>| -> Result<(), fmt::Error> {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, value) in series {
                ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
            }
            Ok(())
        };
        gauge(
            "uitsmijter_signing_key_age_seconds",
            "Time since the key was made, by state",
            keys().map(|(ring, set, key)| age(ring, set, key, now)).collect(),
        )?;
        gauge(
            "uitsmijter_signing_key_next_rotation_timestamp_seconds",
            "When the next signing key should take over",
            rings.iter().filter_map(|(set, ring)| next_rotation(ring, set, now)).collect(),
        )?;
        gauge(
            "uitsmijter_signing_key_last_expiry_timestamp_seconds",
            "Nothing that the key signed lives longer",
            keys().filter_map(|(ring, _, key)| Some((of_key(ring, key), key.last_expiry?.0))).collect(),
        )?;
        gauge(
            "uitsmijter_key_replicas_unconfirmed",
            "Replicas that hold the next signing key back because they do not publish it yet",
            rings.iter().map(|(_, ring)| (of_tenant(ring), ring.unconfirmed())).collect(),
        )?;
        gauge(
            "uitsmijter_signing_keys_foreign",
            "Keys that lie among those of the tenant in the store and are not ours; they are not believed",
            rings.iter().map(|(set, ring)| (of_tenant(ring), count(set.set().foreign.len()))).collect(),
        )?;
        let sealed = keys().all(|(_, _, key)| key.private.as_ref().is_none_or(|half| half.is_sealed()));
        let sealed = i64::from(sealed && keychain.keys.custody.sealer.is_sealing());
        let help = "Whether private keys are sealed in the store";
        let metric = encoder.encode_descriptor("uitsmijter_keys_sealed", help, None, MetricType::Gauge)?;
        ConstGauge::new(sealed).encode(metric)
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn of_tenant(ring: &KeyRing) -> Vec<(&'static str, String)> {
    vec![("tenant", ring.name.to_string())]
}

fn of_key(ring: &KeyRing, key: &StoredKey) -> Vec<(&'static str, String)> {
    vec![("tenant", ring.name.to_string()), ("kid", key.kid().into())]
}

fn age(ring: &KeyRing, set: &Snapshot, key: &StoredKey, now: Timestamp) -> Series {
    let mut labels = of_key(ring, key);
    labels.push(("state", set.set().state(key, set.grace(), now).as_str().into()));
    (labels, i64::try_from(now.since(key.created_at).as_secs()).unwrap_or(i64::MAX))
}

fn next_rotation(ring: &KeyRing, set: &Snapshot, now: Timestamp) -> Option<Series> {
    let plan = ring.plan.load();
    let next = set.set().next_rotation(&plan.policy, &plan.algorithms, now)?;
    Some((of_tenant(ring), next.0))
}
