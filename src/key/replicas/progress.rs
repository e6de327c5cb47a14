//! How far the living replicas are with the keys of one tenant.

use std::collections::BTreeSet;

use crate::key::record::StoredKey;
use crate::key::replicas::heartbeat::Heartbeat;

/// The living replicas, as far as one tenant is concerned.
#[derive(Clone, Debug, Default)]
pub struct Replicas {
    /// All that live.
    pub live: Vec<ReplicaProgress>,
}

/// How far one replica is.
#[derive(Clone, Debug)]
pub struct ReplicaProgress {
    /// Its name.
    pub name: String,
    /// It has taken over every change up to this revision of the key news; `None` if it could not.
    pub seen: Option<u64>,
    /// Names of the secrets that it has; `None` if it does not say.
    pub opens: Option<BTreeSet<String>>,
}

impl Replicas {
    /// How far the replicas are with the keys of `tenant`.
    pub fn of(heartbeats: &[Heartbeat], tenant: &str) -> Self {
        let progress = |beat: &Heartbeat| ReplicaProgress {
            name: beat.replica.clone(),
            seen: (!beat.unreadable.contains(tenant)).then_some(beat.seen),
            opens: beat.opens.clone(),
        };
        Self { live: heartbeats.iter().map(progress).collect() }
    }

    /// The replicas that do not publish `key` yet, or could not sign with it; none for a key that was not announced.
    pub fn behind(&self, key: &StoredKey) -> Vec<&str> {
        let Some(revision) = key.announced_revision else { return Vec::new() };
        let behind = self.live.iter().filter(|replica| !replica.is_ready_for(key, revision));
        behind.map(|replica| replica.name.as_str()).collect()
    }

    /// Whether every living replica publishes `key` and could sign with it.
    pub fn are_ready_for(&self, key: &StoredKey) -> bool {
        // This replica is among the living; if it does not find even itself, it knows nothing.
        !self.live.is_empty() && self.behind(key).is_empty()
    }
}

impl ReplicaProgress {
    fn is_ready_for(&self, key: &StoredKey, revision: u64) -> bool {
        let opens = |names: &BTreeSet<String>| key.private.as_ref().is_none_or(|half| half.is_opened_by(names));
        self.seen.is_some_and(|seen| seen >= revision) && self.opens.as_ref().is_none_or(opens)
    }
}
