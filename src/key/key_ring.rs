//! One set of keys in the memory of this replica.
//!
//! Readers take the present [`Snapshot`] from an atomic swap; nobody waits for anybody. Only those who load or change the
//! set take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::clock::Timestamp;
use crate::key::key_store::KeyStore;
use crate::key::policy::RotationPolicy;
use crate::key::record::KeySet;
use crate::key::snapshot::Snapshot;
use crate::metrics::SignedWith;
use crate::protocol::jwk::Algorithm;
use crate::store::Loaded;

/// A set, who may change it, and what is known about it here.
pub struct KeyRing {
    /// The tenant, or [`SHARED`].
    pub name: Arc<str>,
    /// What is asked of the set.
    pub plan: ArcSwap<Plan>,
    /// Those who load or change the set take turns; nobody else waits.
    pub turn: tokio::sync::Mutex<()>,
    /// The names of the signing keys that were last written to the log.
    pub logged: std::sync::Mutex<Vec<String>>,
    snapshot: ArcSwapOption<Snapshot>,
    looked_again: AtomicI64,
    read_at: AtomicI64,
    unconfirmed: AtomicI64,
}

/// The name of the one set of all tenants under `scope: shared`; no tenant can be called so.
pub const SHARED: &str = "*";

/// After how many seconds a set is read again without news of a change; well below [`crate::key::record::LAG`].
const READ_AGAIN_AFTER: i64 = 10 * 60;

/// What a set is asked to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its calendar.
    pub policy: RotationPolicy,
    /// The algorithms that it must be able to sign with, RS256 always among them: ID tokens of a tenant on HS256 need
    /// it, and OpenID Connect Discovery §3 demands that it is supported.
    pub algorithms: Vec<Algorithm>,
}

impl KeyRing {
    /// A ring that has not been loaded.
    pub fn new(name: &str, plan: Plan) -> Self {
        Self {
            name: name.into(),
            plan: ArcSwap::from_pointee(plan),
            turn: tokio::sync::Mutex::default(),
            logged: std::sync::Mutex::default(),
            snapshot: ArcSwapOption::empty(),
            looked_again: AtomicI64::new(i64::MIN),
            read_at: AtomicI64::new(i64::MIN),
            unconfirmed: AtomicI64::default(),
        }
    }

    /// Takes over what the tenant is asked for now. A shared set must do for all tenants that were ever asked for.
    pub fn follow(&self, plan: Plan, shared: bool) {
        self.plan.rcu(|old| {
            let mut plan = plan.clone();
            if shared {
                plan.algorithms.extend(&old.algorithms);
                plan.algorithms.sort_unstable();
                plan.algorithms.dedup();
            }
            plan
        });
    }

    /// The set as it was read last; `None` before the first use.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Takes `loaded` over, unless it is older than what is here. Call it in turn.
    pub fn install(&self, loaded: Loaded<KeySet>, keys: &KeyStore) {
        self.read_at.store(keys.clock.now().0, Ordering::Relaxed);
        let old = self.snapshot();
        if old.as_ref().is_some_and(|old| old.set().version > loaded.record.version) {
            return;
        }
        let snapshot = Snapshot::take(&self.name, loaded.record, self.plan.load().policy.grace, old.as_deref(), keys);
        for live in old.iter().flat_map(|old| old.live_keys()).filter(|live| snapshot.live(&live.kid).is_none()) {
            let (tenant, kid, alg) = (self.name.to_string(), live.kid.clone(), live.algorithm.as_str());
            keys.metrics.tokens_signed.remove(&SignedWith { tenant, kid, alg });
        }
        self.snapshot.store(Some(Arc::new(snapshot)));
    }

    /// How many replicas hold the next key back, as of the last tick.
    pub fn unconfirmed(&self) -> i64 {
        self.unconfirmed.load(Ordering::Relaxed)
    }

    /// Notes how many replicas hold the next key back.
    pub fn set_unconfirmed(&self, replicas: usize) {
        self.unconfirmed.store(i64::try_from(replicas).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Whether the set should be read again although nobody said that it changed: whoever changed it may have died before
    /// saying so.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let age = now.0.saturating_sub(self.read_at.load(Ordering::Relaxed));
        // A clock that jumped back makes it stale, too.
        !(0..READ_AGAIN_AFTER).contains(&age)
    }

    /// Whether an unknown `kid` may make this replica read the set again: not more than once per second.
    pub fn may_look_again(&self, now: Timestamp) -> bool {
        let last = self.looked_again.load(Ordering::Relaxed);
        // Inequality, so that a clock that jumped back does not forbid it for an hour.
        last != now.0 && self.looked_again.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
