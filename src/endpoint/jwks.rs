//! `GET /.well-known/jwks.json`: RFC 7517 §5.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::issuer::Issuer;
use crate::metrics::Status;
use crate::web::document;

/// The tenant's public keys, the signing one first, as they were last written down: nothing is computed here.
pub async fn get(issuer: Issuer, headers: HeaderMap) -> Response {
    let response = match issuer.signer().await {
        Ok(signer) => {
            let keys = signer.jwk_set();
            document::respond(&headers, keys.body.clone(), &keys.etag, issuer.lifetimes.documents)
        }
        Err(error) => error.into_response(),
    };
    issuer.metrics.jwks_requests.get_or_create(&Status { status: response.status().as_u16() }).inc();
    response
}
