//! Logout tokens: OIDC Back-Channel Logout §2.4.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::id_token::algorithm;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::key::TokenType;
use crate::protocol::error::Result;
use crate::registry::client::Client;
use crate::session::participant::Participant;

/// §4 recommends two minutes at most.
const LIFETIME: Duration = Duration::from_secs(120);

/// There is never a nonce, so that no client takes it for an ID token.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: Timestamp,
    exp: Timestamp,
    jti: String,
    events: serde_json::Value,
    sid: &'a str,
}

/// Tells a client that the session it took part in is over.
pub async fn sign(issuer: &Issuer, client: &Client, participant: &Participant) -> Result<String> {
    let now = issuer.now();
    let claims = Claims {
        iss: &participant.issuer,
        sub: &participant.subject,
        aud: &participant.client_id,
        iat: now,
        exp: now + LIFETIME,
        jti: issuer.services.random.identifier(),
        events: json!({ "http://schemas.openid.net/event/backchannel-logout": {} }),
        sid: &participant.sid,
    };
    let signer = issuer.signer().await?;
    // §2.6: the client verifies it by the algorithm of its ID tokens and by no other.
    Ok(signer.sign_with(algorithm(&signer, client), TokenType::Logout, &claims, claims.exp)?)
}
