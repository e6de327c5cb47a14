//! `POST /token`: RFC 6749 §3.2.

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;

use crate::protocol::error::Result;
use crate::protocol::token::TokenRequest;
use crate::web::client_request::ClientRequest;
use crate::{grant, token};

/// Redeems a grant and answers with tokens (§5.1).
pub async fn post(
    ClientRequest { issuer, client, form }: ClientRequest<TokenRequest>,
) -> Result<impl IntoResponse + use<>> {
    let authorization = grant::redeem(&issuer, client, form).await?;
    let tokens = token::issue(&issuer, authorization).await?;
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(tokens)))
}
