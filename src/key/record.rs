//! The stored record of a tenant's keys, and the arithmetic that says what each key is at a moment.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::key::custody::mac::{Foreign, Mac, Provenance};
use crate::key::custody::seal::PrivateHalf;
use crate::protocol::jwk::{Algorithm, Jwk};
use crate::store::Record;

/// How far the clocks of two machines may be apart: 30 seconds on either side of the true time.
pub const SKEW: Duration = Duration::from_secs(60);

/// The longest that a replica in touch with the store may act on an old set: the interval at which every set is read
/// again even without news of a change, and some slack.
pub const LAG: Duration = Duration::from_secs(15 * 60);

/// For how long the private half of a retired key is kept, so that a clock that jumps back an hour still finds a key
/// to sign with.
pub const KEEP_PRIVATE: Duration = Duration::from_secs(2 * 60 * 60);

/// One key, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    /// The public half, with `kid` and `alg`.
    pub public: Jwk,
    /// The private half; erased some time after the key has retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<PrivateHalf>,
    /// Made and announced: from here on it is in the JWKS.
    pub created_at: Timestamp,
    /// From here on it signs; empty until every replica is known to publish it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_from: Option<Timestamp>,
    /// It signs on every replica as soon as the replica has it, whatever the replica's clock says: made for an empty set,
    /// or by an operator's order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_once: bool,
    /// From here on it signs no more: its successor's `signs_from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    /// Nothing that it signed beyond its grace expires later than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_expiry: Option<Timestamp>,
    /// Withdrawn by an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// The revision of the key news that announced it to every replica; empty until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_revision: Option<u64>,
    /// For how many seconds it stays published after it retired, at least. Never shrinks.
    #[serde(default)]
    pub grace: u64,
    /// Proves that it is ours; see [`crate::key::custody::provenance`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Whether that was checked; never stored.
    #[serde(skip)]
    pub provenance: Provenance,
}

/// All keys of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// Whose keys they are, so that a row in the wrong place is noticed.
    pub tenant: String,
    /// Grows with each change, so that a replica never goes back to an older set.
    pub version: u64,
    /// How often it was restored after a loss, so that a replica notices a restoration that its memory took no part in.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restored: u64,
    /// The keys, in no order.
    pub keys: Vec<StoredKey>,
    /// The algorithm of access tokens: a tenant that changes it stays with this one until a key of the new one may sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Algorithm>,
    /// By tenant, because tenants may share the set: nothing that it signed with HS256 expires later. A tenant on HS256
    /// without an entry was on it under a version that kept none. See [`crate::key::hs256`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hs256_until: BTreeMap<String, Timestamp>,
    /// Sessions and grants that began until then are over: an operator ended them along with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_ended_at: Option<Timestamp>,
    /// The keys that were removed last, so that a replica can tell a removed key from one that the store has lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Proves `access` and `hs256_until`, and that every key has a MAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Keys that lie among ours in the store and are not: neither published nor believed.
    #[serde(skip)]
    pub foreign: Vec<(StoredKey, Foreign)>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record for KeySet {
    const KIND: &'static str = "keys";
}

/// What a key is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It signs.
    Signing,
    /// It is published and does not sign yet.
    Announced,
    /// It signs no more and is still published.
    Retired,
    /// Nothing that it signed can still be valid.
    Gone,
    /// An operator withdrew it.
    Revoked,
    /// It is not ours, although it lies among our keys.
    Foreign,
}

impl StoredKey {
    /// A new key: announced at `created_at`, and not scheduled.
    pub fn announced(public: Jwk, private: PrivateHalf, created_at: Timestamp, grace: u64) -> Self {
        Self {
            public,
            private: Some(private),
            created_at,
            signs_from: None,
            at_once: false,
            retired_at: None,
            last_expiry: None,
            revoked_at: None,
            announced_revision: None,
            grace,
            mac: None,
            provenance: Provenance::Proved,
        }
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        &self.public.kid
    }

    /// The algorithm that it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.public.alg
    }

    /// For how long it is published after it retired, under a policy that asks for `grace`.
    pub fn kept_for(&self, grace: Duration) -> Duration {
        grace.max(Duration::from_secs(self.grace))
    }

    /// Whether the record already promises to verify a token that expires then; see the module's argument.
    pub fn covers(&self, expires_at: Timestamp, now: Timestamp) -> bool {
        expires_at <= now + Duration::from_secs(self.grace) || self.last_expiry.is_some_and(|last| expires_at <= last)
    }

    /// When it may be dropped; `None` as long as it is not retired.
    pub fn gone_after(&self, grace: Duration) -> Option<Timestamp> {
        let published_until = self.retired_at? + self.kept_for(grace);
        Some(self.last_expiry.map_or(published_until, |last| last.max(published_until)) + SKEW)
    }

    fn may_sign(&self, now: Timestamp) -> bool {
        let begun = self.signs_from.is_some_and(|from| self.at_once || from <= now);
        begun && self.can_sign() && self.retired_at.is_none_or(|at| at > now)
    }

    pub(super) fn can_sign(&self) -> bool {
        self.revoked_at.is_none() && self.private.is_some()
    }
}

impl KeySet {
    /// The key called `kid`.
    pub fn key(&self, kid: &str) -> Option<&StoredKey> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// The one key that signs with `algorithm` at `now`.
    pub fn signing(&self, algorithm: Algorithm, now: Timestamp) -> Option<&StoredKey> {
        let ours = || self.keys.iter().filter(|key| key.algorithm() == algorithm);
        let newest = ours().filter(|key| key.may_sign(now)).max_by_key(|key| (key.signs_from, key.kid()));
        newest.or_else(|| {
            // Only a clock that jumped back gets here: the predecessor's private half is gone and the successor's time
            // has not come again. Other replicas sign with the successor already, so this one does too.
            let followed = |from: Timestamp| ours().any(|key| key.retired_at == Some(from));
            let next = ours().filter(|key| key.can_sign() && key.retired_at.is_none());
            next.filter(|key| key.signs_from.is_some_and(followed)).min_by_key(|key| (key.signs_from, key.kid()))
        })
    }

    /// What `key` of this set is at `now`, under a policy that asks for `grace`.
    pub fn state(&self, key: &StoredKey, grace: Duration, now: Timestamp) -> State {
        if key.revoked_at.is_some() {
            return State::Revoked;
        }
        if self.signing(key.algorithm(), now).is_some_and(|signing| signing.kid() == key.kid()) {
            return State::Signing;
        }
        match (key.retired_at, key.gone_after(grace)) {
            (_, Some(gone_after)) if now > gone_after => State::Gone,
            (Some(retired_at), _) if retired_at <= now => State::Retired,
            // A key whose time has come and which a newer one overtook, although the record does not say so.
            (None, _) if key.signs_from.is_some_and(|from| from <= now) => State::Retired,
            _ => State::Announced,
        }
    }

    /// The keys that the JWKS shows at `now`: the signing ones, the announced, the retired; each newest first.
    pub fn published(&self, grace: Duration, now: Timestamp) -> Vec<&StoredKey> {
        let mut shown: Vec<(State, &StoredKey)> =
            self.keys.iter().map(|key| (self.state(key, grace, now), key)).collect();
        shown.retain(|(state, _)| state.is_published());
        shown.sort_by(|(a, x), (b, y)| {
            a.cmp(b)
                .then(y.signs_from.cmp(&x.signs_from))
                .then(y.created_at.cmp(&x.created_at))
                .then(x.kid().cmp(y.kid()))
        });
        shown.into_iter().map(|(_, key)| key).collect()
    }

    /// The next moment after `now` at which time alone changes a state.
    pub fn next_change(&self, grace: Duration, now: Timestamp) -> Option<Timestamp> {
        let moments = self.keys.iter().flat_map(|key| {
            // A key is gone after its moment, not at it.
            let gone = key.gone_after(grace).map(|at| at + Duration::from_secs(1));
            [key.signs_from, key.retired_at, gone]
        });
        moments.flatten().filter(|moment| *moment > now).min()
    }

    /// The algorithms that this set can sign with at `now`.
    pub fn algorithms(&self, now: Timestamp) -> Vec<Algorithm> {
        let mut algorithms: Vec<Algorithm> = self.keys.iter().map(StoredKey::algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        algorithms.retain(|algorithm| self.signing(*algorithm, now).is_some());
        algorithms
    }
}

impl State {
    /// Whether the JWKS shows such a key, and so whether a token of it verifies.
    pub fn is_published(self) -> bool {
        matches!(self, Self::Signing | Self::Announced | Self::Retired)
    }

    /// How operators read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Announced => "announced",
            Self::Retired => "retired",
            Self::Gone => "gone",
            Self::Revoked => "revoked",
            Self::Foreign => "foreign",
        }
    }
}
