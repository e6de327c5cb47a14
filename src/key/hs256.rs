//! HS256 with the one secret that all tenants share; only access tokens are signed with it.
//!
//! Whoever checks such tokens can make them, so the secret alone proves nothing: HS256 is believed of a tenant that is on
//! it, or was, until the longest of its tokens has ended. The record says until when ([`KeySet::hs256_until`]), before the
//! token exists. What such a token may say is bounded where access tokens are verified.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::hmac;
use jsonwebtoken::DecodingKey;

use crate::clock::Timestamp;
use crate::key::record::KeySet;
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

/// How far ahead the end of HS256 tokens is recorded, so that a busy tenant writes once per hour and not for each token.
pub const AHEAD: Duration = Duration::from_secs(60 * 60);

impl KeySet {
    /// Records that `tenant` signs a token with HS256 that lives until `expires_at`; answers whether that is news.
    /// `longest` is the longest that a token may live which a version signed that recorded nothing.
    pub fn raise_hs256(&mut self, tenant: &str, expires_at: Timestamp, longest: Timestamp) -> bool {
        let unrecorded = self.access == Some(Algorithm::HS256) && !self.hs256_until.contains_key(tenant);
        let until = if unrecorded { expires_at.max(longest) } else { expires_at };
        raise(&mut self.hs256_until, tenant, until)
    }

    /// Takes over what another copy of this set knows; answers whether that is news.
    pub fn raise_all_hs256(&mut self, known: &BTreeMap<String, Timestamp>) -> bool {
        raise_all(&mut self.hs256_until, known)
    }

    /// Changes the algorithm of access tokens; answers whether that is a change. `tenant` then is, or was, on HS256.
    pub fn move_to(&mut self, access: Algorithm, tenant: &str, now: Timestamp, longest: Timestamp) -> bool {
        if self.access == Some(access) {
            return false;
        }
        if [self.access, Some(access)].contains(&Some(Algorithm::HS256)) {
            self.raise_hs256(tenant, now, longest);
        }
        self.access = Some(access);
        true
    }
}

/// Takes over the later of both ends for each tenant; answers whether something changed.
pub fn raise_all(ends: &mut BTreeMap<String, Timestamp>, known: &BTreeMap<String, Timestamp>) -> bool {
    known.iter().fold(false, |raised, (tenant, until)| raise(ends, tenant, *until) || raised)
}

fn raise(ends: &mut BTreeMap<String, Timestamp>, tenant: &str, until: Timestamp) -> bool {
    if ends.get(tenant).is_some_and(|known| until <= *known) {
        return false;
    }
    ends.insert(tenant.to_owned(), until);
    true
}
