//! HS256 with the one secret that all tenants share; only access tokens are signed with it.

use aws_lc_rs::hmac;
use jsonwebtoken::DecodingKey;

use crate::key::token_type::Headers;
use crate::protocol::jwk::Algorithm;
use crate::secret::Secret;

/// HS256, ready to sign and to verify.
pub struct Hs256 {
    key: hmac::Key,
    /// For jsonwebtoken.
    pub verifying: DecodingKey,
    /// Without a `kid`: there is no key to look up.
    pub headers: Headers,
}

impl Hs256 {
    /// HS256 with `secret`.
    pub fn new(secret: &Secret) -> Self {
        let bytes = secret.expose().as_bytes();
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, bytes),
            verifying: DecodingKey::from_secret(bytes),
            headers: Headers::new(Algorithm::HS256, None),
        }
    }

    /// The signature of `message` (RFC 7518 §3.2).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key, message).as_ref().to_vec()
    }
}
