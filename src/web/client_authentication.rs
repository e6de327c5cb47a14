//! Client credentials in headers and forms: RFC 6749 §2.3, RFC 7521 §4.2.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::client::assertion;
use crate::client::authentication::{Presented, Proof};
use crate::issuer::Issuer;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::parameters::{Parameters, form_decode};
use crate::registry::client::AuthMethod;

/// RFC 6749 §2.3: one method per request.
///
/// Errors: `invalid_client`; `invalid_request` if it is ambiguous which method was meant.
pub(super) fn present(issuer: &Issuer, headers: &HeaderMap, parameters: &Parameters) -> Result<Presented> {
    let form_id = parameters.owned("client_id")?;
    let form_secret = parameters.owned("client_secret")?;
    let jwt = client_assertion(parameters)?;
    let header = headers.get(header::AUTHORIZATION);
    let headers = headers.get_all(header::AUTHORIZATION).iter().count();
    if usize::from(form_secret.is_some()) + usize::from(jwt.is_some()) + headers > 1 {
        return Err(OAuthError::invalid_request("only one way of client authentication may be used"));
    }
    let (named, proof) = match (header, form_secret, jwt) {
        (Some(value), ..) => {
            let (client_id, secret) = basic(value)?;
            let proof = secret.map(|secret| Proof::Secret(secret, AuthMethod::ClientSecretBasic));
            (Some(client_id), proof.unwrap_or(Proof::Nothing))
        }
        (None, Some(secret), _) => (None, Proof::Secret(secret, AuthMethod::ClientSecretPost)),
        // RFC 7521 §4.2: client_id is not needed, the assertion names the client.
        (None, None, Some(jwt)) => (assertion::claimed_client(&jwt), Proof::Assertion(jwt)),
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
fn client_assertion(parameters: &Parameters) -> Result<Option<String>> {
    match (parameters.one("client_assertion_type")?, parameters.owned("client_assertion")?) {
        (None, None) => Ok(None),
        (Some(assertion::TYPE), Some(assertion)) => Ok(Some(assertion)),
        (Some(assertion::TYPE), None) => Err(OAuthError::invalid_request("client_assertion is missing")),
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
