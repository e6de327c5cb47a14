//! `POST /token`: RFC 6749 §3.2.

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;

use crate::grant;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::token::TokenRequest;
use crate::token::issue::issue;
use crate::web::client_request::ClientRequest;

/// Redeems a grant and responds with tokens (§5.1).
pub async fn post(
    ClientRequest { issuer, client, form }: ClientRequest<TokenRequest>,
) -> Result<impl IntoResponse + use<>> {
    let ident = client.ident.clone();
    let redeemed = match grant::redeem(&issuer, client, form).await {
        Ok(authorization) => issue(&issuer, authorization).await,
        Err(error) => Err(error),
    };
    issuer.count(|counters| if redeemed.is_ok() { &counters.oauth_success } else { &counters.oauth_failure });
    if redeemed.as_ref().is_err_and(OAuthError::is_refusal) {
        issuer.services.metrics.denied.add(&issuer.tenant.name, &ident);
    }
    let tokens = redeemed?;
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(tokens)))
}
