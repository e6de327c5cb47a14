//! One set of keys in the memory of this replica.
//!
//! Readers take the present [`Snapshot`] from an atomic swap and never wait. Only tasks that load or change the set take
//! turns, and only the holder of a [`Turn`] can install another set.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Mutex, MutexGuard};
use tracing::error;

use crate::clock::Timestamp;
use crate::key::key_store::KeyStore;
use crate::key::plan::Plan;
use crate::key::record::{KeySet, StoredKey};
use crate::key::snapshot::Snapshot;
use crate::metrics::SignedWith;
use crate::protocol::jwk::Algorithm;
use crate::store::Loaded;

/// A set, and what this replica knows about it.
pub struct KeyRing {
    /// The tenant, or [`crate::key::settings::SHARED`].
    pub name: Arc<str>,
    /// What its tenants ask of the set.
    pub plan: ArcSwap<Plan>,
    turn: Mutex<()>,
    /// The names of the signing keys that were last written to the log.
    pub logged: std::sync::Mutex<Vec<String>>,
    noted: std::sync::Mutex<Option<Algorithm>>,
    snapshot: ArcSwapOption<Snapshot>,
    looked_again: AtomicI64,
    covered: AtomicI64,
    read_at: AtomicI64,
    unconfirmed: AtomicI64,
}

/// The turn of the one task that loads or changes the set of `ring`.
pub struct Turn<'a> {
    /// Whose turn it is.
    pub ring: &'a KeyRing,
    _guard: MutexGuard<'a, ()>,
}

/// After how many seconds a set is read again without news of a change; well below [`crate::key::record::LAG`].
const READ_AGAIN_AFTER: i64 = 10 * 60;

impl KeyRing {
    /// A ring that has not been loaded.
    pub fn new(name: &str, plan: Plan) -> Self {
        Self {
            name: name.into(),
            plan: ArcSwap::from_pointee(plan),
            turn: Mutex::default(),
            logged: std::sync::Mutex::default(),
            noted: std::sync::Mutex::default(),
            snapshot: ArcSwapOption::empty(),
            looked_again: AtomicI64::new(i64::MIN),
            covered: AtomicI64::new(i64::MIN),
            read_at: AtomicI64::new(i64::MIN),
            unconfirmed: AtomicI64::default(),
        }
    }

    /// Takes over the plan of a tenant. A shared set must serve the plans of all its tenants.
    pub fn follow(&self, plan: Plan, shared: bool) {
        self.plan.rcu(|old| if shared { plan.clone().and(old) } else { plan.clone() });
    }

    /// The set in memory; `None` before the first use.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Waits for the turn to load or change the set.
    pub async fn turn(&self) -> Turn<'_> {
        Turn { ring: self, _guard: self.turn.lock().await }
    }

    /// The algorithm of access tokens that this replica last saw in the record.
    pub fn noted(&self) -> Option<Algorithm> {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that `access` is in the record.
    pub fn set_noted(&self, access: Algorithm) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(access);
    }

    /// How many replicas hold the next key back, as of the last tick.
    pub fn unconfirmed(&self) -> i64 {
        self.unconfirmed.load(Ordering::Relaxed)
    }

    /// Notes how many replicas hold the next key back.
    pub fn set_unconfirmed(&self, replicas: usize) {
        self.unconfirmed.store(i64::try_from(replicas).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Whether the set should be read again without news of a change: a replica that changed it may have died before it
    /// told the others.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let age = now.0.saturating_sub(self.read_at.load(Ordering::Relaxed));
        // A clock that jumped back makes it stale, too.
        !(0..READ_AGAIN_AFTER).contains(&age)
    }

    /// Whether the set was not read for longer than the grace of its keys. Then this replica knows nothing that the store
    /// may have lost: all that it signed has expired, and the others may have withdrawn, removed and forgotten a key that
    /// it remembers.
    pub fn has_slept(&self, now: Timestamp) -> bool {
        let grace = self.plan.load().policy.grace;
        let Some(snapshot) = self.snapshot() else { return false };
        let longest = snapshot.set().keys.iter().map(|key| key.kept_for(grace)).max().unwrap_or(grace);
        now.since(Timestamp(self.read_at.load(Ordering::Relaxed))) > longest
    }

    /// Whether an unknown `kid` may make this replica read the set again: not more than once per second.
    pub fn may_look_again(&self, now: Timestamp) -> bool {
        is_first_in_second(&self.looked_again, now)
    }

    /// Whether a token of HS256 may make this replica write the record: not more than once per second, so that requests
    /// do not queue for a store that is away.
    pub fn may_cover_again(&self, now: Timestamp) -> bool {
        is_first_in_second(&self.covered, now)
    }
}

fn is_first_in_second(last: &AtomicI64, now: Timestamp) -> bool {
    let before = last.load(Ordering::Relaxed);
    // Inequality, so that a clock that jumped back does not forbid it for an hour.
    before != now.0 && last.compare_exchange(before, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

impl Turn<'_> {
    /// Takes `loaded` over, unless it is older than the set in memory.
    pub fn install(&self, loaded: Loaded<KeySet>, keys: &KeyStore) {
        self.ring.read_at.store(keys.clock.now().0, Ordering::Relaxed);
        let is_newer = |old: &Arc<Snapshot>| old.set().version > loaded.record.version;
        if !self.ring.snapshot().as_ref().is_some_and(is_newer) {
            self.install_anyway(loaded, keys);
        }
    }

    /// Takes `loaded` over, even if it is older.
    pub fn install_anyway(&self, loaded: Loaded<KeySet>, keys: &KeyStore) {
        let ring = self.ring;
        ring.read_at.store(keys.clock.now().0, Ordering::Relaxed);
        let old = ring.snapshot();
        let snapshot = Snapshot::take(&ring.name, loaded.record, ring.plan.load().policy.grace, old.as_deref(), keys);
        for live in old.iter().flat_map(|old| old.live_keys()).filter(|live| snapshot.live(&live.kid).is_none()) {
            let (tenant, kid, alg) = (ring.name.to_string(), live.kid.clone(), live.algorithm.as_str());
            keys.metrics.tokens_signed.remove(&SignedWith { tenant, kid, alg });
        }
        let was_known = |key: &StoredKey| old.iter().any(|old| old.set().foreign.iter().any(|(known, _)| known == key));
        for (key, reason) in snapshot.set().foreign.iter().filter(|(key, _)| !was_known(key)) {
            let (tenant, kid, why) = (&*ring.name, key.kid(), reason.as_str());
            error!(tenant, kid, why, "a key in the store is not ours; it is neither published nor believed");
        }
        ring.snapshot.store(Some(Arc::new(snapshot)));
    }
}
