//! A set of keys, parsed: signatures, verifications and the JWKS are made from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use jsonwebtoken::DecodingKey;
use prometheus_client::metrics::counter::Counter;
use tracing::error;

use crate::clock::Timestamp;
use crate::key::custody::private_key::PrivateKey;
use crate::key::hs256;
use crate::key::key_store::KeyStore;
use crate::key::record::{KeySet, StoredKey};
use crate::key::token_type::Headers;
use crate::metrics::SignedWith;
use crate::protocol::jwk::{Algorithm, JwkSet, KeyMaterial};

/// A set as it was read last.
pub struct Snapshot {
    set: KeySet,
    keys: Vec<Arc<LiveKey>>,
    grace: Duration,
    /// What this replica knows of [`KeySet::hs256_until`]: an older version that changes the set forgets it.
    hs256_until: BTreeMap<String, Timestamp>,
    published: ArcSwapOption<Published>,
}

/// A key in memory.
pub struct LiveKey {
    /// Its name.
    pub kid: String,
    /// The algorithm that it signs with.
    pub algorithm: Algorithm,
    /// The private half, unless it is erased or cannot be opened.
    pub private: Option<PrivateKey>,
    /// The public half, unless it is damaged.
    pub public: Option<DecodingKey>,
    /// The headers of its tokens.
    pub headers: Headers,
    /// The latest `exp` that this replica signed with it.
    pub latest_expiry: Arc<AtomicI64>,
    /// The counter of its signatures.
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

impl Snapshot {
    /// Parses `set` of `tenant`, as far as `old` has not parsed it already.
    pub fn take(tenant: &str, set: KeySet, grace: Duration, old: Option<&Self>, keys: &KeyStore) -> Self {
        let is_same =
            |old: &&Self, key: &StoredKey| old.set.key(key.kid()).is_some_and(|known| known.public == key.public);
        let live = |key: &StoredKey| match old.filter(|old| is_same(old, key)).and_then(|old| old.live(key.kid())) {
            // Parsed keys stay; a private half that could not be opened is tried again.
            Some(live) if live.private.is_some() == key.private.is_some() => live.clone(),
            known => {
                let latest_expiry = known.map(|live| live.latest_expiry.clone()).unwrap_or_default();
                Arc::new(LiveKey::parse(tenant, key, keys, latest_expiry))
            }
        };
        let keys = set.keys.iter().map(live).collect();
        let mut hs256_until = set.hs256_until.clone();
        if let Some(old) = old {
            hs256::raise_all(&mut hs256_until, &old.hs256_until);
        }
        Self { set, keys, grace, hs256_until, published: ArcSwapOption::empty() }
    }

    /// The set.
    pub fn set(&self) -> &KeySet {
        &self.set
    }

    /// All its keys, as they are in memory.
    pub fn live_keys(&self) -> &[Arc<LiveKey>] {
        &self.keys
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

    /// The keys whose latest `exp` signed by this replica is not in the record yet: names, and that `exp`.
    pub fn unwritten_expiries(&self) -> Vec<(String, Timestamp)> {
        let signed = self.set().keys.iter().filter(|key| key.revoked_at.is_none());
        let latest = signed.filter_map(|key| {
            let latest = Timestamp(self.live(key.kid())?.latest_expiry.load(Ordering::Relaxed));
            (latest.0 > 0 && key.last_expiry.is_none_or(|last| last < latest)).then(|| (key.public.kid.clone(), latest))
        });
        latest.collect()
    }

    /// Whether `tenant` signed tokens with HS256 that live until `expires_at`, or longer.
    pub fn covers_hs256(&self, tenant: &str, expires_at: Timestamp) -> bool {
        self.hs256_until.get(tenant).is_some_and(|until| expires_at <= *until)
    }

    /// What this replica knows of HS256 and the record does not.
    pub fn unwritten_hs256(&self) -> Option<&BTreeMap<String, Timestamp>> {
        let is_written = |(tenant, until): (&String, &Timestamp)| {
            self.set.hs256_until.get(tenant).is_some_and(|known| until <= known)
        };
        (!self.hs256_until.iter().all(is_written)).then_some(&self.hs256_until)
    }

    /// Whether this replica can open every key that waits to be scheduled.
    pub fn opens_what_comes(&self) -> bool {
        let mut waiting = self.set().keys.iter().filter(|key| key.is_unscheduled() && key.private.is_some());
        waiting.all(|key| self.live(key.kid()).is_some_and(|live| live.private.is_some()))
    }

    /// For how long the policy publishes retired keys.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// The key called `kid`, as it is in memory.
    pub fn live(&self, kid: &str) -> Option<&Arc<LiveKey>> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The JWKS. It is built again only when time has changed a key's state.
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
        let private = keys.custody.open(tenant, key).unwrap_or_else(|error| {
            let (kid, cause) = (key.kid(), format!("{error:#}"));
            error!(tenant, kid, cause, "a signing key cannot be used by this replica");
            None
        });
        let public = decoding_key(&key.public.material)
            .inspect_err(|error| {
                let (kid, cause) = (key.kid(), format!("{error:#}"));
                error!(tenant, kid, cause, "a public key in the store is damaged");
            })
            .ok();
        let headers = Headers::new(key.algorithm(), Some(key.kid()));
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
