//! ID tokens: OIDC Core §2 and §3.1.3.6.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::PersonalAuthorization;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::key::TokenType;
use crate::key::{Expired, TenantSigner, VerifyError};
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::jwk::Algorithm;
use crate::registry::client::Client;
use crate::session::Session;

#[derive(Serialize)]
struct IdTokenClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    azp: &'a str,
    exp: Timestamp,
    iat: Timestamp,
    auth_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    at_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    acr: &'a str,
    amr: &'a [String],
    /// The id of its grant, for token exchange (RFC 8693), and a part that is unique within the grant. It is in a
    /// standard claim because conformance tests warn about claims that nobody asked for.
    jti: String,
    #[serde(flatten)]
    requested: Map<String, Value>,
}

/// Signs the ID token that goes with `access_token`; no I/O.
pub fn sign(
    signer: &TenantSigner,
    client: &Client,
    issuer_url: &str,
    personal: &PersonalAuthorization,
    access_token: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<String> {
    let grant = &personal.grant;
    let algorithm = algorithm(signer, client);
    let at_hash = at_hash(access_token, algorithm);
    let claims = IdTokenClaims {
        iss: issuer_url,
        sub: &grant.person.identity.subject,
        aud: &client.ident,
        azp: &client.ident,
        exp: expires_at,
        iat: now,
        auth_time: grant.person.authentication.time,
        nonce: personal.nonce.as_deref(),
        // Only this ID token comes with this access token.
        jti: format!("{}.{at_hash}", personal.grant_id),
        at_hash,
        sid: grant.person.sid.as_deref(),
        acr: &grant.person.authentication.acr,
        amr: &grant.person.authentication.amr,
        // §5.5: members of the profile appear here only if the client requested them by name.
        requested: super::claims::requested(&grant.claims.id_token, &grant.person.identity),
    };
    Ok(signer.sign_with(algorithm, TokenType::Id, &claims, expires_at)?)
}

/// The algorithm for a client's ID tokens: the registered one, if the tenant has a key for it.
pub(super) fn algorithm(signer: &TenantSigner, client: &Client) -> Algorithm {
    let wanted = client.id_token_algorithm.filter(|wanted| signer.supported_algorithms().contains(wanted));
    wanted.unwrap_or_else(|| signer.id_token_algorithm())
}

/// §3.1.3.6: the left half of the token's hash, with the hash of the signature; that of Ed25519 is SHA-512 (RFC 8032
/// §5.1).
fn at_hash(access_token: &str, algorithm: Algorithm) -> String {
    let hash = match algorithm {
        Algorithm::EdDSA => &SHA512,
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 | Algorithm::HS256 => &SHA256,
    };
    let digest = digest(hash, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..digest.as_ref().len() / 2])
}

/// The claims of an ID token that a client sends back.
#[derive(Debug, Deserialize)]
pub struct Hint {
    iss: String,
    /// The subject.
    pub sub: String,
    /// The client it was issued to.
    pub aud: String,
    /// The session.
    pub sid: Option<String>,
    jti: Option<String>,
    /// Used instead of `jti` by an earlier version.
    grant_id: Option<String>,
}

impl Hint {
    /// The id of its grant.
    pub fn grant_id(&self) -> Option<&str> {
        let named = self.jti.as_deref().and_then(|jti| jti.split_once('.'));
        named.map(|(grant_id, _)| grant_id).or(self.grant_id.as_deref())
    }

    /// Whether it was issued in this session, or if it names none, for this person.
    pub fn speaks_of(&self, session: &Session) -> bool {
        self.sub == session.identity.subject && self.sid.as_ref().is_none_or(|sid| *sid == session.sid)
    }
}

/// Reads an ID token that has not expired, and when it will.
///
/// Errors: `invalid_token` for anything else.
pub async fn verify_unexpired(issuer: &Issuer, token: &str) -> Result<(Hint, Timestamp)> {
    #[derive(Deserialize)]
    struct Unexpired {
        #[serde(flatten)]
        hint: Hint,
        exp: Timestamp,
    }
    let refused = || OAuthError::invalid_token("the ID token is not valid");
    let signer = issuer.signer().await?;
    let verified = signer.verify(token, TokenType::Id, Expired::Refuse).await;
    let Unexpired { hint, exp } = verified.map_err(|reason| refused().because(reason))?;
    if issuer.is_own(&hint.iss) { Ok((hint, exp)) } else { Err(refused()) }
}

/// Reads `id_token_hint`; an expired one is fine (OIDC Core §3.1.2.1, RP-Initiated Logout §2).
///
/// Errors: `invalid_request` for anything that this tenant did not sign as an ID token.
pub async fn verify_hint(issuer: &Issuer, token: &str) -> Result<Hint> {
    read_hint(issuer, token).await?.ok_or_else(no_hint)
}

/// Like [`verify_hint`]; `None` for one that claims to be ours but whose key is not published (any more): it can be
/// neither confirmed nor refuted.
pub async fn read_hint(issuer: &Issuer, token: &str) -> Result<Option<Hint>> {
    let signer = issuer.signer().await?;
    let hint: Hint = match signer.verify(token, TokenType::Id, Expired::Allow).await {
        Ok(hint) => hint,
        Err(VerifyError::UnknownKey(_)) if claims_to_be_own(issuer, token) => return Ok(None),
        Err(reason) => return Err(no_hint().because(reason)),
    };
    // If tenants share keys, issuer and client identify the tenant.
    if issuer.is_own(&hint.iss) && issuer.client(&hint.aud).await?.is_some() { Ok(Some(hint)) } else { Err(no_hint()) }
}

/// Whether a token claims, unverified, to be ours.
fn claims_to_be_own(issuer: &Issuer, token: &str) -> bool {
    #[derive(Deserialize)]
    struct Claimed {
        iss: String,
    }
    let claims = token.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let claimed = claims.and_then(|claims| serde_json::from_slice::<Claimed>(&claims).ok());
    claimed.is_some_and(|claimed| issuer.is_own(&claimed.iss))
}

fn no_hint() -> OAuthError {
    OAuthError::invalid_request("id_token_hint is not an ID token of this issuer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_token_names_the_grant_that_it_came_with() {
        let grant_of = |more: Value| {
            let mut claims = serde_json::json!({"iss": "https://login.example", "sub": "ada", "aud": "spa"});
            claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            let hint: Hint = serde_json::from_value(claims).expect("a hint");
            hint.grant_id().map(str::to_owned)
        };
        assert_eq!(grant_of(serde_json::json!({"jti": "g-1.abc"})).as_deref(), Some("g-1"));
        assert_eq!(grant_of(serde_json::json!({"grant_id": "g-2"})).as_deref(), Some("g-2"), "of an earlier version");
        assert_eq!(grant_of(serde_json::json!({"jti": "something else"})), None);
    }
}
