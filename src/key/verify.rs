//! Verification of our own tokens. The key chooses the algorithm; the header only says which key (RFC 8725 §3.1).

use std::fmt;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, decode, decode_header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::key::hs256::Hs256;
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
        let hs256 = self.keychain.hs256.as_ref();
        let now = self.keychain.keys.clock.now();
        let check = |snapshot: &Snapshot| check(snapshot, hs256, token, token_type, expired, now);
        let snapshot = self.ring.snapshot().ok_or(VerifyError::NoKey)?;
        match check(&snapshot) {
            Err(VerifyError::UnknownKey(kid)) => {
                let known = snapshot.set().key(&kid).is_some();
                if known || !self.ring.may_look_again(now) || self.keychain.reload(&self.ring).await.is_err() {
                    return Err(VerifyError::UnknownKey(kid));
                }
                check(&*self.ring.snapshot().ok_or(VerifyError::NoKey)?)
            }
            decided => decided,
        }
    }
}

fn check<C: DeserializeOwned>(
    snapshot: &Snapshot,
    hs256: Option<&Hs256>,
    token: &str,
    token_type: TokenType,
    expired: Expired,
    now: Timestamp,
) -> Result<C, VerifyError> {
    let header = decode_header(token).map_err(|_| VerifyError::Malformed)?;
    if header.crit.is_some() {
        return Err(VerifyError::Malformed);
    }
    let claims = match (&header.kid, hs256) {
        (Some(kid), _) => {
            let key = snapshot.verifying(kid, now).ok_or_else(|| VerifyError::UnknownKey(kid.clone()))?;
            let public = key.public.as_ref().ok_or_else(|| VerifyError::UnknownKey(kid.clone()))?;
            signed_by(token, key.algorithm, public)?
        }
        // Resource servers that share the secret may make access tokens; other tokens are never signed with it.
        (None, Some(hs256)) if token_type == TokenType::Access => signed_by(token, Algorithm::HS256, &hs256.verifying)?,
        (None, _) => return Err(VerifyError::NoKey),
    };
    if !header.typ.is_some_and(|typ| is_type(&typ, token_type)) {
        return Err(VerifyError::WrongType);
    }
    let expires_at = claims.get("exp").and_then(Value::as_i64);
    let expires_at = expires_at.ok_or_else(|| VerifyError::WrongClaims("no whole number in exp".into()))?;
    if expired == Expired::Refuse && expires_at <= now.0 {
        return Err(VerifyError::Expired);
    }
    serde_json::from_value(claims).map_err(|error| VerifyError::WrongClaims(error.to_string()))
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
