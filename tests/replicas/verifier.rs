//! A resource server: it caches a JWKS for as long as it may, and trusts the tokens that it verifies.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tokio::time::Instant;

use crate::replica::Replica;

/// A verifier of one tenant's tokens with a cache.
pub(crate) struct Verifier {
    host: &'static str,
    max_age: Duration,
    cached: Option<(JwkSet, Instant)>,
}

impl Verifier {
    /// One that caches for `max_age`, in real time.
    pub(crate) fn new(host: &'static str, max_age: Duration) -> Self {
        Self { host, max_age, cached: None }
    }

    /// The same with a given JWKS, cached for ever.
    pub(crate) fn knowing(jwks: Value) -> Self {
        let jwks = serde_json::from_value(jwks).expect("a JWKS");
        Self { host: "", max_age: Duration::MAX, cached: Some((jwks, Instant::now())) }
    }

    /// Fetches the JWKS from `replica` if the cached one is too old.
    pub(crate) async fn refresh(&mut self, replica: &Replica) {
        if self.cached.as_ref().is_none_or(|(_, at)| at.elapsed() >= self.max_age) {
            let fetched = Instant::now();
            let jwks = serde_json::from_value(replica.jwks(self.host).await).expect("a JWKS");
            self.cached = Some((jwks, fetched));
        }
    }

    /// The error in the signature of `token`, if any. The expiry is not checked, because its clock may be different.
    pub(crate) fn complaint(&self, token: &str) -> Option<String> {
        let (jwks, _) = self.cached.as_ref().expect("a JWKS");
        let header = decode_header(token).expect("a token");
        let kid = header.kid?;
        let Some(key) = jwks.find(&kid) else { return Some(format!("{kid} is not in the JWKS")) };
        let mut validation = Validation::new(header.alg);
        validation.algorithms = vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA]
            .into_iter()
            .filter(|algorithm| *algorithm == header.alg)
            .collect();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let key = DecodingKey::from_jwk(key).expect("a key");
        decode::<Value>(token, &key, &validation).err().map(|error| format!("{kid}: {error}"))
    }
}

/// The `kid` in the header of `token`; none for HS256.
pub(crate) fn kid_of(token: &str) -> Option<String> {
    decode_header(token).expect("a token").kid
}
