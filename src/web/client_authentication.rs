//! How a client proves who it is: RFC 6749 §2.3, RFC 7523 §2.2, OIDC Core §9.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::audit;
use crate::client_assertion;
use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::parameters::{Parameters, form_decode};
use crate::registry::client::{AuthMethod, Client};

/// How a client presented itself.
struct Presented {
    client_id: String,
    proof: Proof,
}

/// What it offered as proof.
enum Proof {
    Nothing,
    Secret(String, AuthMethod),
    Assertion(String),
}

/// The client that a request comes from: proven, or public and named.
///
/// Errors: `invalid_client`; `invalid_request` when it is not clear which way of proving was meant.
pub(super) async fn authenticate(issuer: &Issuer, headers: &HeaderMap, parameters: &Parameters) -> Result<Arc<Client>> {
    let presented = present(issuer, headers, parameters)?;
    let named = presented.client_id.clone();
    prove(issuer, presented).await.inspect_err(|error| {
        if error.code == ErrorCode::InvalidClient {
            audit::client_refused(&issuer.tenant.name, &named, &error.description);
            if let Ok(client) = issuer.known_client(&named) {
                issuer.metrics.denied.add(&issuer.tenant.name, &client.ident);
            }
        }
    })
}

async fn prove(issuer: &Issuer, presented: Presented) -> Result<Arc<Client>> {
    let client = issuer.known_client(&presented.client_id)?;
    tracing::Span::current().record("client", &*client.ident);
    let refused = || OAuthError::invalid_client("client authentication failed");
    let other_method = || OAuthError::invalid_client("the client must use its registered authentication method");
    match (client.auth_method, presented.proof) {
        (AuthMethod::None, Proof::Nothing) => Ok(client),
        (AuthMethod::PrivateKeyJwt, Proof::Assertion(assertion)) => {
            client_assertion::verify(issuer, &client, &assertion).await?;
            Ok(client)
        }
        // A public client has no secret to compare, and pretending that any would do helps nobody.
        (AuthMethod::None, _) | (_, Proof::Nothing) => Err(refused()),
        (registered, Proof::Secret(presented, used)) if registered.accepts(used) => match &client.secret {
            Some(secret) if issuer.login.passwords().verify_secret(secret, presented).await => Ok(client),
            _ => Err(refused()),
        },
        (_, Proof::Secret(..) | Proof::Assertion(_)) => Err(other_method()),
    }
}

/// RFC 6749 §2.3: one method per request.
fn present(issuer: &Issuer, headers: &HeaderMap, parameters: &Parameters) -> Result<Presented> {
    let form_id = parameters.owned("client_id")?;
    let form_secret = parameters.owned("client_secret")?;
    let assertion = assertion(parameters)?;
    let header = headers.get(header::AUTHORIZATION);
    let headers = headers.get_all(header::AUTHORIZATION).iter().count();
    if usize::from(form_secret.is_some()) + usize::from(assertion.is_some()) + headers > 1 {
        return Err(OAuthError::invalid_request("only one way of client authentication may be used"));
    }
    let (named, proof) = match (header, form_secret, assertion) {
        (Some(value), ..) => {
            let (client_id, secret) = basic(value)?;
            let proof = secret.map(|secret| Proof::Secret(secret, AuthMethod::ClientSecretBasic));
            (Some(client_id), proof.unwrap_or(Proof::Nothing))
        }
        (None, Some(secret), _) => (None, Proof::Secret(secret, AuthMethod::ClientSecretPost)),
        // RFC 7521 §4.2: client_id is not needed, the assertion says whose it is.
        (None, None, Some(assertion)) => (client_assertion::claimed_client(&assertion), Proof::Assertion(assertion)),
        (None, None, None) => (None, Proof::Nothing),
    };
    match (named, form_id) {
        (Some(named), Some(form_id)) if !issuer.is_same_client(&named, &form_id) => {
            Err(OAuthError::invalid_request("client_id differs from the one that the client authenticates as"))
        }
        (Some(client_id), _) | (None, Some(client_id)) => Ok(Presented { client_id, proof }),
        (None, None) => Err(OAuthError::invalid_client("client_id is missing")),
    }
}

/// RFC 7521 §4.2.
fn assertion(parameters: &Parameters) -> Result<Option<String>> {
    match (parameters.one("client_assertion_type")?, parameters.owned("client_assertion")?) {
        (None, None) => Ok(None),
        (Some(client_assertion::TYPE), Some(assertion)) => Ok(Some(assertion)),
        (Some(client_assertion::TYPE), None) => Err(OAuthError::invalid_request("client_assertion is missing")),
        (Some(_), _) => Err(OAuthError::invalid_client("client_assertion_type is not supported")),
        (None, Some(_)) => Err(OAuthError::invalid_request("client_assertion_type is missing")),
    }
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined. An empty secret counts as none.
fn basic(value: &HeaderValue) -> Result<(String, Option<String>)> {
    let malformed = || OAuthError::invalid_client("the Authorization header is not a well-formed Basic credential");
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = value.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (client_id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    let client_id = form_decode(client_id).map_err(|_| malformed())?;
    let secret = form_decode(secret).map_err(|_| malformed())?;
    Ok((client_id, Some(secret).filter(|secret| !secret.is_empty())))
}
