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

/// There is never a nonce, so that no client mistakes it for an ID token.
#[derive(Serialize)]
struct LogoutTokenClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: Timestamp,
    exp: Timestamp,
    jti: String,
    events: serde_json::Value,
    sid: &'a str,
}

/// The token that tells a client that its session has ended.
pub async fn sign(issuer: &Issuer, client: &Client, participant: &Participant) -> Result<String> {
    let now = issuer.now();
    let claims = LogoutTokenClaims {
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
    // §2.6: the client verifies it with the algorithm of its ID tokens and no other.
    Ok(signer.sign_with(algorithm(&signer, client), TokenType::Logout, &claims, claims.exp)?)
}
