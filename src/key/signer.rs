//! Signing, as one tenant does it: no store, no lock and no parsing per signature.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use tracing::{debug, warn};

use crate::clock::Timestamp;
use crate::key::key_ring::KeyRing;
use crate::key::keychain::Keychain;
use crate::key::policy::PolicyOverrides;
use crate::key::snapshot::{PublishedKeys, Snapshot};
use crate::key::token_type::TokenType;
use crate::protocol::jwk::Algorithm;

/// The signer of one tenant. Take it from [`crate::key::signer_manager::SignerManager::tenant`] for each request,
/// because it follows the tenant's settings.
pub struct TenantSigner {
    pub(super) tenant: Arc<str>,
    pub(super) keychain: Arc<Keychain>,
    pub(super) ring: Arc<KeyRing>,
    pub(super) wanted: Algorithm,
    pub(super) overrides: Option<PolicyOverrides>,
    pub(super) hs256_signed: Counter,
}

impl TenantSigner {
    /// The algorithm of access tokens, at this moment. A tenant that has just been moved to another algorithm goes on
    /// with the one before, until the new key has been announced for long enough.
    pub fn algorithm(&self) -> Algorithm {
        if self.wanted == Algorithm::HS256 {
            return self.wanted;
        }
        let Some(snapshot) = self.ring.snapshot() else { return self.wanted };
        let (set, now) = (snapshot.set(), self.keychain.keys.clock.now());
        let is_ready = |algorithm: &Algorithm| match algorithm {
            Algorithm::HS256 => self.keychain.hs256.is_some(),
            algorithm => set.signing(*algorithm, now).is_some(),
        };
        if is_ready(&self.wanted) {
            return self.wanted;
        }
        if let Some(before) = set.access.filter(is_ready) {
            return before;
        }
        // It was not recorded. RS256 is always there; the latest other algorithm is what the tenant was on.
        let ready = set.algorithms(now).into_iter().filter(|algorithm| *algorithm != Algorithm::RS256);
        let last = ready.max_by_key(|algorithm| set.signing(*algorithm, now).and_then(|key| key.signs_from));
        last.unwrap_or(Algorithm::RS256)
    }

    /// The algorithm of ID tokens: OIDC Core §15.1 demands RS256 of a tenant whose clients have no public key to check HS256 with.
    pub fn id_token_algorithm(&self) -> Algorithm {
        match self.algorithm() {
            Algorithm::HS256 => Algorithm::RS256,
            algorithm => algorithm,
        }
    }

    /// The algorithms that this tenant can sign with now, RS256 among them.
    pub fn supported_algorithms(&self) -> Vec<Algorithm> {
        let now = self.keychain.keys.clock.now();
        let mut algorithms = self.ring.snapshot().map(|snapshot| snapshot.set().algorithms(now)).unwrap_or_default();
        if self.algorithm() == Algorithm::HS256 {
            algorithms.push(Algorithm::HS256);
        }
        algorithms
    }

    /// Whether sessions and grants that began at `then` were ended along with a key that an operator withdrew.
    pub fn has_ended(&self, then: Timestamp) -> bool {
        let ended_at = self.ring.snapshot().and_then(|snapshot| snapshot.set().sessions_ended_at);
        ended_at.is_some_and(|at| then <= at)
    }

    /// Whether this replica can sign now: there is a key for ID tokens, and it can be opened.
    pub fn can_sign(&self) -> bool {
        let now = self.keychain.keys.clock.now();
        let snapshot = self.ring.snapshot();
        snapshot.is_some_and(|snapshot| {
            snapshot.signing(self.id_token_algorithm(), now).is_some_and(|(_, live)| live.private.is_some())
        })
    }

    /// Whether caches may keep the JWKS: this replica knows what the others do.
    pub fn is_in_touch(&self) -> bool {
        self.keychain.presence.is_in_touch(self.keychain.keys.clock.now())
    }

    /// The JWKS of this tenant, ready to be sent.
    pub fn jwk_set(&self) -> Arc<PublishedKeys> {
        match self.ring.snapshot() {
            Some(snapshot) => snapshot.published(self.keychain.keys.clock.now()),
            // Cannot happen: a signer is handed out once its ring is loaded.
            None => Arc::new(PublishedKeys { body: r#"{"keys":[]}"#.into(), etag: "\"none\"".into() }),
        }
    }

    /// To be called before an access token is signed that lives until `expires_at`: with HS256, the record has to say
    /// first until when it is believed of this tenant. Costs nothing with other algorithms, and a write per hour with this
    /// one. Without the store, signing goes on; a tenant that moves to another algorithm during an outage loses tokens.
    pub async fn cover(&self, expires_at: Timestamp) {
        let is_covered = || self.ring.snapshot().is_none_or(|set| set.covers_hs256(&self.tenant, expires_at));
        if self.algorithm() != Algorithm::HS256 || is_covered() {
            return;
        }
        if let Err(error) = self.keychain.cover_hs256(&self.ring, &self.tenant, expires_at).await {
            let (tenant, cause) = (&*self.tenant, format!("{error:#}"));
            warn!(tenant, cause, "how long tokens of HS256 live is written down later");
        }
    }

    /// Whether HS256 is believed of this tenant in a token that lives until `expires_at`: the tenant is on it, or was, and
    /// its longest token lives as long.
    pub(super) fn believes_hs256(&self, snapshot: &Snapshot, expires_at: Timestamp) -> bool {
        self.algorithm() == Algorithm::HS256 || snapshot.covers_hs256(&self.tenant, expires_at)
    }

    /// Signs `claims`, whose `exp` is `expires_at`, with the algorithm that this type of token has at this tenant.
    pub fn sign<C: Serialize>(&self, token_type: TokenType, claims: &C, expires_at: Timestamp) -> Result<String> {
        let algorithm = match token_type {
            TokenType::Access => self.algorithm(),
            TokenType::Id | TokenType::Logout => self.id_token_algorithm(),
        };
        self.sign_with(algorithm, token_type, claims, expires_at)
    }

    /// Like [`Self::sign`], with one of [`Self::supported_algorithms`].
    pub fn sign_with<C: Serialize>(
        &self,
        algorithm: Algorithm,
        token_type: TokenType,
        claims: &C,
        expires_at: Timestamp,
    ) -> Result<String> {
        let claims = serde_json::to_vec(claims).context("the claims of a token")?;
        if algorithm == Algorithm::HS256 {
            let hs256 = self.keychain.hs256.as_ref().context("HS256 needs JWT_SECRET")?;
            let token = token(hs256.headers.of(token_type), &claims, |message| Ok(hs256.sign(message)))?;
            self.hs256_signed.inc();
            debug!("Signed token with HS256");
            return Ok(token);
        }
        let snapshot = self.ring.snapshot().context("signing keys that were not loaded")?;
        self.sign_by_key(&snapshot, algorithm, token_type, &claims, expires_at)
    }

    fn sign_by_key(
        &self,
        snapshot: &Snapshot,
        algorithm: Algorithm,
        token_type: TokenType,
        claims: &[u8],
        expires_at: Timestamp,
    ) -> Result<String> {
        let (now, tenant) = (self.keychain.keys.clock.now(), &self.ring.name);
        let Some((stored, live)) = snapshot.signing(algorithm, now) else {
            bail!("tenant {tenant} has no key that signs with {algorithm} at this time");
        };
        let Some(private) = &live.private else {
            bail!("the signing key {} of tenant {tenant} cannot be opened; see SIGNING_KEY_SECRET", live.kid);
        };
        if !stored.covers(expires_at, now) {
            bail!(
                "a token that lives until {expires_at} would outlive the signing key {} of tenant {tenant}; \
                 raise signing.grace or shorten the token",
                live.kid
            );
        }
        live.latest_expiry.fetch_max(expires_at.0, Ordering::Relaxed);
        let token = token(live.headers.of(token_type), claims, |message| private.sign(message))?;
        live.signed.inc();
        debug!("Signed token with {algorithm} using kid: {}", live.kid);
        Ok(token)
    }
}

/// RFC 7515 §7.1: header, claims and signature, each in base64url.
fn token(header: &str, claims: &[u8], sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<String> {
    let mut token = String::with_capacity(header.len() + claims.len() * 4 / 3 + 400);
    token.push_str(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
