//! Verification of our own tokens. The key chooses the algorithm; the header only says which key (RFC 8725 §3.1).

use std::fmt;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, decode, decode_header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::key::signer::TenantSigner;
use crate::key::snapshot::Snapshot;
use crate::key::token_type::TokenType;
use crate::protocol::jwk::Algorithm;

/// Whether a token may be past its `exp`, as an `id_token_hint` may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// An expired token is refused.
    Refuse,
    /// An expired token will do.
    Allow,
}

/// Why a token is not believed; for logs, not for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// It is not three parts of base64url with JSON inside, or asks for an extension (RFC 7515 §4.1.11).
    Malformed,
    /// It names no key, or HS256 is not accepted here.
    NoKey,
    /// It is of HS256, and this tenant is not on it, nor was until the token expires.
    NotOnHs256,
    /// It names a key that is unknown, withdrawn or long gone.
    UnknownKey(String),
    /// Its header names another algorithm than its key has.
    WrongAlgorithm,
    /// The signature does not fit.
    WrongSignature,
    /// Its `typ` says that it is for something else.
    WrongType,
    /// Its `exp` is past.
    Expired,
    /// It is genuine, but its claims are not those of such a token.
    WrongClaims(String),
}

/// What a token was signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedWith {
    /// A key of this tenant, which nobody else has.
    OwnKey,
    /// The secret of HS256, which every resource server has that checks such tokens, of whatever tenant.
    SharedSecret,
}

impl TenantSigner {
    /// The claims of `token`, if this tenant signed it as a token of this type and it has not expired (no leeway: it is
    /// our own clock's). For an unknown `kid`, the set is read again, at most once per second. The caller checks `iss`,
    /// `aud` and the tenant's claims.
    pub async fn verify<C: DeserializeOwned>(
        &self,
        token: &str,
        token_type: TokenType,
        expired: Expired,
    ) -> Result<C, VerifyError> {
        self.verify_signature(token, token_type, expired).await.map(|(claims, _)| claims)
    }

    /// Like [`Self::verify`], with what signed the token. The claims of a [`SignedWith::SharedSecret`] are those of
    /// whoever made it: the caller bounds them.
    pub async fn verify_signature<C: DeserializeOwned>(
        &self,
        token: &str,
        token_type: TokenType,
        expired: Expired,
    ) -> Result<(C, SignedWith), VerifyError> {
        let now = self.keychain.keys.clock.now();
        let check = |snapshot: &Snapshot| self.check(snapshot, token, token_type, expired, now);
        let snapshot = self.ring.snapshot().ok_or(VerifyError::NoKey)?;
        let is_known = match check(&snapshot) {
            Err(VerifyError::UnknownKey(kid)) => snapshot.set().key(&kid).is_some(),
            // Another replica may be ahead, and have put the tenant on HS256.
            Err(VerifyError::NotOnHs256) => false,
            decided => return decided,
        };
        let may_look_again = !is_known && self.ring.may_look_again(now);
        if may_look_again && self.keychain.reload(&self.ring).await.is_ok() {
            return check(&*self.ring.snapshot().ok_or(VerifyError::NoKey)?);
        }
        check(&snapshot)
    }

    fn check<C: DeserializeOwned>(
        &self,
        snapshot: &Snapshot,
        token: &str,
        token_type: TokenType,
        expired: Expired,
        now: Timestamp,
    ) -> Result<(C, SignedWith), VerifyError> {
        let header = decode_header(token).map_err(|_| VerifyError::Malformed)?;
        if header.crit.is_some() {
            return Err(VerifyError::Malformed);
        }
        let (claims, signed_with) = match (&header.kid, &self.keychain.hs256) {
            (Some(kid), _) => {
                let key = snapshot.verifying(kid, now).ok_or_else(|| VerifyError::UnknownKey(kid.clone()))?;
                let public = key.public.as_ref().ok_or_else(|| VerifyError::UnknownKey(kid.clone()))?;
                (signed_by(token, key.algorithm, public)?, SignedWith::OwnKey)
            }
            // Only access tokens are ever signed with the secret.
            (None, Some(hs256)) if token_type == TokenType::Access => {
                (signed_by(token, Algorithm::HS256, &hs256.verifying)?, SignedWith::SharedSecret)
            }
            (None, _) => return Err(VerifyError::NoKey),
        };
        if !header.typ.is_some_and(|typ| is_type(&typ, token_type)) {
            return Err(VerifyError::WrongType);
        }
        let expires_at = claims.get("exp").and_then(Value::as_i64).map(Timestamp);
        let expires_at = expires_at.ok_or_else(|| VerifyError::WrongClaims("no whole number in exp".into()))?;
        if expired == Expired::Refuse && expires_at <= now {
            return Err(VerifyError::Expired);
        }
        if signed_with == SignedWith::SharedSecret && !self.believes_hs256(snapshot, expires_at) {
            return Err(VerifyError::NotOnHs256);
        }
        let claims = serde_json::from_value(claims).map_err(|error| VerifyError::WrongClaims(error.to_string()))?;
        Ok((claims, signed_with))
    }
}

/// The claims of `token`, if `key` signed it with `algorithm` and no other.
fn signed_by(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Value, VerifyError> {
    match decode::<Value>(token, key, &algorithm.signature_alone()) {
        Ok(data) => Ok(data.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::InvalidAlgorithm => VerifyError::WrongAlgorithm,
            ErrorKind::InvalidSignature => VerifyError::WrongSignature,
            _ => VerifyError::Malformed,
        }),
    }
}

/// RFC 7515 §4.1.9: a media type without regard to case, whose `application/` may be left out.
fn is_type(typ: &str, token_type: TokenType) -> bool {
    let wanted = token_type.as_str();
    let start = typ.len().saturating_sub(wanted.len());
    let (prefix, rest) = typ.split_at_checked(start).unwrap_or((typ, ""));
    rest.eq_ignore_ascii_case(wanted) && (prefix.is_empty() || prefix.eq_ignore_ascii_case("application/"))
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a token of this server"),
            Self::NoKey => f.write_str("names no key"),
            Self::NotOnHs256 => f.write_str("signed with HS256, which this tenant does not use"),
            // The sender of the token chose the kid, so no more of it is logged than one of ours would have.
            Self::UnknownKey(kid) => {
                write!(f, "signed with {:?}, which is not published", kid.chars().take(64).collect::<String>())
            }
            Self::WrongAlgorithm => f.write_str("another algorithm than its key has"),
            Self::WrongSignature => f.write_str("the signature does not fit"),
            Self::WrongType => f.write_str("a token of another type"),
            Self::Expired => f.write_str("expired"),
            Self::WrongClaims(what) => write!(f, "unexpected claims: {what}"),
        }
    }
}

impl std::error::Error for VerifyError {}
