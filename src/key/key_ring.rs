//! The keys of one set, parsed and ready: what a signature, a verification and the JWKS are made from.
//!
//! Readers take the present [`Snapshot`] from an atomic swap; nobody waits for anybody. Only those who load or change the
//! set take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use jsonwebtoken::DecodingKey;
use prometheus_client::metrics::counter::Counter;
use tracing::error;

use crate::clock::Timestamp;
use crate::key::key_store::KeyStore;
use crate::key::policy::RotationPolicy;
use crate::key::private_key::PrivateKey;
use crate::key::record::{KeySet, StoredKey};
use crate::key::signer::{TokenType, header};
use crate::metrics::SignedWith;
use crate::protocol::jwk::{Algorithm, JwkSet, KeyMaterial};
use crate::store::Loaded;

/// One set of keys in the memory of this replica.
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

/// A set as it was read last.
pub struct Snapshot {
    /// The record.
    pub loaded: Loaded<KeySet>,
    keys: Vec<Arc<LiveKey>>,
    grace: Duration,
    published: ArcSwapOption<Published>,
}

/// A key in memory.
pub struct LiveKey {
    /// Which one.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The private half, unless it is erased or cannot be opened.
    pub private: Option<PrivateKey>,
    /// The public half, unless it is damaged.
    pub public: Option<DecodingKey>,
    /// The encoded header of each type of token.
    pub headers: [String; TokenType::ALL.len()],
    /// The latest `exp` of what this replica signed with it.
    pub latest_expiry: Arc<AtomicI64>,
    /// Its signatures.
    pub signed: Counter,
}

/// The JWKS, ready to be sent.
#[derive(Clone, Debug)]
pub struct PublishedKeys {
    /// RFC 7517 §5, as JSON.
    pub body: Bytes,
    /// A strong entity tag, with its quotes (RFC 9110 §8.8.3).
    pub etag: String,
}

struct Published {
    keys: Arc<PublishedKeys>,
    from: Timestamp,
    until: Option<Timestamp>,
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
        if old.as_ref().is_some_and(|old| old.loaded.record.version > loaded.record.version) {
            return;
        }
        let live = |key: &StoredKey| {
            let known = old.as_ref().and_then(|old| old.keys.iter().find(|live| live.kid == key.kid()));
            match known {
                // Parsed keys stay; a private half that could not be opened is tried again.
                Some(live) if live.private.is_some() == key.private.is_some() => live.clone(),
                _ => {
                    let latest_expiry = known.map(|live| live.latest_expiry.clone()).unwrap_or_default();
                    Arc::new(LiveKey::parse(&self.name, key, keys, latest_expiry))
                }
            }
        };
        let snapshot = Snapshot {
            keys: loaded.record.keys.iter().map(live).collect(),
            loaded,
            grace: self.plan.load().policy.grace,
            published: ArcSwapOption::empty(),
        };
        for live in old.iter().flat_map(|old| &old.keys).filter(|live| snapshot.live(&live.kid).is_none()) {
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

impl Snapshot {
    /// The set.
    pub fn set(&self) -> &KeySet {
        &self.loaded.record
    }

    /// The key that signs with `algorithm` now, as it is stored and as it is in memory.
    pub fn signing(&self, algorithm: Algorithm, now: Timestamp) -> Option<(&StoredKey, &Arc<LiveKey>)> {
        let stored = self.set().signing(algorithm, now)?;
        Some((stored, self.live(stored.kid())?))
    }

    /// The key called `kid`, if tokens that it signed are to be believed now.
    pub fn verifying(&self, kid: &str, now: Timestamp) -> Option<&Arc<LiveKey>> {
        let stored = self.set().key(kid)?;
        self.set().state(stored, self.grace, now).is_published().then(|| self.live(kid)).flatten()
    }

    /// What this replica signed and the record does not know yet: names, and the latest `exp`.
    pub fn unwritten_expiries(&self) -> Vec<(String, Timestamp)> {
        let signed = self.set().keys.iter().filter(|key| key.revoked_at.is_none());
        let latest = signed.filter_map(|key| {
            let latest = Timestamp(self.live(key.kid())?.latest_expiry.load(Ordering::Relaxed));
            (latest.0 > 0 && key.last_expiry.is_none_or(|last| last < latest)).then(|| (key.public.kid.clone(), latest))
        });
        latest.collect()
    }

    /// For how long retired keys are published, as far as the policy says.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// The key called `kid`, as it is in memory.
    pub fn live(&self, kid: &str) -> Option<&Arc<LiveKey>> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The JWKS. It is made anew only when time has changed a key's state.
    pub fn published(&self, now: Timestamp) -> Arc<PublishedKeys> {
        if let Some(published) = self.published.load().as_ref()
            && published.from <= now
            && published.until.is_none_or(|until| now < until)
        {
            return published.keys.clone();
        }
        let keys = self.set().published(self.grace, now).into_iter().map(|key| key.public.clone()).collect();
        let body = serde_json::to_vec(&JwkSet { keys }).unwrap_or_default();
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest(&SHA256, &body).as_ref()[..16]));
        let keys = Arc::new(PublishedKeys { body: body.into(), etag });
        let until = self.set().next_change(self.grace, now);
        self.published.store(Some(Arc::new(Published { keys: keys.clone(), from: now, until })));
        keys
    }
}

impl LiveKey {
    fn parse(tenant: &str, key: &StoredKey, keys: &KeyStore, latest_expiry: Arc<AtomicI64>) -> Self {
        // A key that cannot be opened here is still published, and still verifies; only signing has to fail.
        let private = keys.open(tenant, key).unwrap_or_else(|error| {
            error!(tenant, kid = key.kid(), "A signing key cannot be used by this replica: {error:#}");
            None
        });
        let public = decoding_key(&key.public.material)
            .inspect_err(|error| error!(tenant, kid = key.kid(), "A public key in the store is damaged: {error:#}"))
            .ok();
        let headers = TokenType::ALL.map(|token_type| header(key.algorithm(), token_type, Some(key.kid())));
        let (kid, alg) = (key.public.kid.clone(), key.algorithm());
        let labels = SignedWith { tenant: tenant.into(), kid: kid.clone(), alg: alg.as_str() };
        let signed = keys.metrics.tokens_signed.get_or_create_owned(&labels);
        Self { kid, algorithm: alg, private, public, headers, latest_expiry, signed }
    }
}

fn decoding_key(material: &KeyMaterial) -> Result<DecodingKey> {
    let key = match material {
        KeyMaterial::Rsa { n, e } => DecodingKey::from_rsa_components(n, e),
        KeyMaterial::Ec { x, y, .. } => DecodingKey::from_ec_components(x, y),
        KeyMaterial::Okp { x, .. } => DecodingKey::from_ed_components(x),
    };
    key.map_err(|error| anyhow!(error))
}
