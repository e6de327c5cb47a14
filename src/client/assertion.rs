//! Client authentication by a signed assertion: RFC 7523 §2.2 and §3, OIDC Core §9 (`private_key_jwt`).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::audience::Audience;
use crate::protocol::client_keys::{ClientKeys, Unproven};
use crate::protocol::error::{OAuthError, Result};
use crate::registry::client::Client;
use crate::store::Record;

/// RFC 7523 §2.2: the one `client_assertion_type`.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far `exp` may lie ahead. Many clients use an hour; `jti` is remembered until then.
const MAX_AHEAD: Duration = Duration::from_secs(60 * 60);
/// How far the client's clock may be ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(10);

/// RFC 7523 §3. Times may have a fraction (RFC 7519 §2).
#[derive(Clone, Deserialize)]
struct AssertionClaims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    jti: String,
}

/// A used assertion, kept until it would have expired.
#[derive(Serialize, Deserialize)]
struct UsedAssertion {}

impl Record for UsedAssertion {
    const KIND: &'static str = "assertion";
}

/// The client that an assertion claims to be from, unverified.
pub fn claimed_client(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok().map(|Subject { sub }| sub)
}

/// Proves that `client` made the assertion, for this server, recently, and that it was not used before.
///
/// Errors: `invalid_client`; only the operator learns what is wrong with the signature.
pub async fn verify(issuer: &Issuer, client: &Client, assertion: &str) -> Result<()> {
    let claims = signed_claims(issuer, client, assertion).await?;
    check(issuer, client, &claims)?;
    // Last, so that only the holder of the key can use up a jti.
    let id = format!("{}\n{}", client.ident, claims.jti);
    let until = Timestamp(claims.exp.ceil() as i64);
    if issuer.store.replace(&id, None, &UsedAssertion {}, &[], Some(until)).await? {
        Ok(())
    } else {
        Err(OAuthError::invalid_client("the client assertion was already used"))
    }
}

async fn signed_claims(issuer: &Issuer, client: &Client, assertion: &str) -> Result<AssertionClaims> {
    let refused = |reason: String| {
        OAuthError::invalid_client("the client assertion is not valid").because(anyhow::Error::msg(reason))
    };
    let keys = keys(issuer, client, None).await?;
    let outcome = match keys.verify(assertion) {
        // The client may have rotated its key.
        Err(Unproven::UnknownKey) if client.jwks_uri.is_some() => {
            self::keys(issuer, client, Some(&keys)).await?.verify(assertion)
        }
        outcome => outcome,
    };
    outcome.map_err(|reason| refused(format!("{reason:?}")))
}

async fn keys(issuer: &Issuer, client: &Client, missing_in: Option<&Arc<ClientKeys>>) -> Result<Arc<ClientKeys>> {
    match (&client.jwks, &client.jwks_uri) {
        (Some(keys), _) => Ok(keys.clone()),
        (None, Some(uri)) => issuer.services.client_keys.at(uri, missing_in, issuer.now()).await.map_err(|cause| {
            OAuthError::invalid_client("the keys at the jwks_uri of the client cannot be fetched").because(cause)
        }),
        (None, None) => Err(OAuthError::invalid_client("the client has no keys")),
    }
}

/// RFC 7523 §3, in its order.
fn check(issuer: &Issuer, client: &Client, claims: &AssertionClaims) -> Result<()> {
    let refused = |description: &'static str| Err(OAuthError::invalid_client(description));
    let now = issuer.now().0 as f64;
    if ![&claims.iss, &claims.sub].into_iter().all(|id| issuer.is_same_client(id, &client.ident)) {
        return refused("iss and sub of the client assertion must be the client_id");
    }
    if !claims.aud.as_slice().iter().any(|audience| is_this_server(issuer, audience)) {
        return refused("aud of the client assertion must be the issuer or the token endpoint");
    }
    if !claims.exp.is_finite() || claims.exp <= now {
        return refused("the client assertion has expired");
    }
    if claims.exp > now + (MAX_AHEAD + CLOCK_SKEW).as_secs_f64() {
        return refused("exp of the client assertion is more than an hour ahead");
    }
    let is_ahead = |time: Option<f64>| time.is_some_and(|time| time > now + CLOCK_SKEW.as_secs_f64());
    if is_ahead(claims.nbf) || is_ahead(claims.iat) {
        return refused("the client assertion is from the future");
    }
    if claims.jti.is_empty() || claims.jti.len() > 512 {
        return refused("jti of the client assertion must have 1 to 512 characters");
    }
    Ok(())
}

/// OIDC Core §9 and RFC 7523 §3: the token endpoint's URL or the issuer, exactly.
fn is_this_server(issuer: &Issuer, audience: &str) -> bool {
    audience == &*issuer.url || audience == issuer.endpoint("/token")
}
