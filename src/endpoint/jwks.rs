//! `GET /.well-known/jwks.json`: RFC 7517 §5.

use axum::http::HeaderMap;
use axum::response::Response;

use crate::issuer::Issuer;
use crate::metrics::Status;
use crate::protocol::error::Result;
use crate::web::document;

/// The tenant's public keys, the signing one first, as they were last written down: nothing is computed here.
pub async fn get(issuer: Issuer, headers: HeaderMap) -> Result<Response> {
    let published = issuer.signer().await?.jwk_set();
    let response = document::respond(&headers, published.body.clone(), &published.etag, issuer.lifetimes.documents);
    issuer.metrics.jwks_requests.get_or_create(&Status { status: response.status().as_u16() }).inc();
    Ok(response)
}
