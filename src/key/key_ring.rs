//! One set of keys in the memory of this replica.
//!
//! Readers take the present [`Snapshot`] from an atomic swap; nobody waits for anybody. Only those who load or change the
//! set take turns.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use anyhow::Result;
use arc_swap::{ArcSwap, ArcSwapOption};

use crate::clock::Timestamp;
use crate::key::key_store::KeyStore;
use crate::key::policy::RotationPolicy;
use crate::key::record::KeySet;
use crate::key::settings::SigningSettings;
use crate::key::signer_manager::TenantSigning;
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
    noted: std::sync::Mutex<Option<Algorithm>>,
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
    /// Of access tokens; of no meaning where tenants share the set.
    pub access: Algorithm,
    /// The algorithms that it must be able to sign with, RS256 always among them: ID tokens of a tenant on HS256 need
    /// it, and OpenID Connect Discovery §3 demands that it is supported.
    pub algorithms: Vec<Algorithm>,
}

impl Plan {
    /// What `tenant` asks for.
    pub fn of(tenant: &TenantSigning<'_>, settings: &SigningSettings) -> Result<Self> {
        let access = tenant.algorithm.unwrap_or(settings.algorithm);
        let other = access.is_asymmetric() && access != Algorithm::RS256;
        let algorithms = [Some(Algorithm::RS256), other.then_some(access)].into_iter().flatten().collect();
        Ok(Self { policy: settings.policy.with(tenant.overrides)?, access, algorithms })
    }

    /// What does for `other` as well: all algorithms, and the longest of each period.
    pub fn and(mut self, other: &Self) -> Self {
        self.policy = self.policy.or_longer(&other.policy);
        self.algorithms.extend(&other.algorithms);
        self.algorithms.sort_unstable();
        self.algorithms.dedup();
        self
    }
}

impl KeyRing {
    /// A ring that has not been loaded.
    pub fn new(name: &str, plan: Plan) -> Self {
        Self {
            name: name.into(),
            plan: ArcSwap::from_pointee(plan),
            turn: tokio::sync::Mutex::default(),
            logged: std::sync::Mutex::default(),
            noted: std::sync::Mutex::default(),
            snapshot: ArcSwapOption::empty(),
            looked_again: AtomicI64::new(i64::MIN),
            read_at: AtomicI64::new(i64::MIN),
            unconfirmed: AtomicI64::default(),
        }
    }

    /// Takes over what the tenant is asked for now. A shared set must do for all tenants that were ever asked for.
    pub fn follow(&self, plan: Plan, shared: bool) {
        self.plan.rcu(|old| if shared { plan.clone().and(old) } else { plan.clone() });
    }

    /// The set as it was read last; `None` before the first use.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Takes `loaded` over, unless it is older than what is here. Call it in turn.
    pub fn install(&self, loaded: Loaded<KeySet>, keys: &KeyStore) {
        self.read_at.store(keys.clock.now().0, Ordering::Relaxed);
        let is_newer = |old: &Arc<Snapshot>| old.set().version > loaded.record.version;
        if !self.snapshot().as_ref().is_some_and(is_newer) {
            self.install_anyway(loaded, keys);
        }
    }

    /// Takes `loaded` over, whatever is here. Call it in turn.
    pub fn install_anyway(&self, loaded: Loaded<KeySet>, keys: &KeyStore) {
        self.read_at.store(keys.clock.now().0, Ordering::Relaxed);
        let old = self.snapshot();
        let snapshot = Snapshot::take(&self.name, loaded.record, self.plan.load().policy.grace, old.as_deref(), keys);
        for live in old.iter().flat_map(|old| old.live_keys()).filter(|live| snapshot.live(&live.kid).is_none()) {
            let (tenant, kid, alg) = (self.name.to_string(), live.kid.clone(), live.algorithm.as_str());
            keys.metrics.tokens_signed.remove(&SignedWith { tenant, kid, alg });
        }
        self.snapshot.store(Some(Arc::new(snapshot)));
    }

    /// The algorithm of access tokens that this replica saw written down last.
    pub fn noted(&self) -> Option<Algorithm> {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that it is written down.
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

    /// Whether the set should be read again although nobody said that it changed: whoever changed it may have died before
    /// saying so.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let age = now.0.saturating_sub(self.read_at.load(Ordering::Relaxed));
        // A clock that jumped back makes it stale, too.
        !(0..READ_AGAIN_AFTER).contains(&age)
    }

    /// Whether the set was not read for longer than the grace of its keys. Then nothing is left that only this replica
    /// could know: what was signed meanwhile has expired, and a key that it remembers may have been withdrawn, removed and
    /// forgotten by the others.
    pub fn has_slept(&self, now: Timestamp) -> bool {
        let grace = self.plan.load().policy.grace;
        let Some(snapshot) = self.snapshot() else { return false };
        let longest = snapshot.set().keys.iter().map(|key| key.kept_for(grace)).max().unwrap_or(grace);
        now.since(Timestamp(self.read_at.load(Ordering::Relaxed))) > longest
    }

    /// Whether an unknown `kid` may make this replica read the set again: not more than once per second.
    pub fn may_look_again(&self, now: Timestamp) -> bool {
        let last = self.looked_again.load(Ordering::Relaxed);
        // Inequality, so that a clock that jumped back does not forbid it for an hour.
        last != now.0 && self.looked_again.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
