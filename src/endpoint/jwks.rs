//! `GET /.well-known/jwks.json`: RFC 7517 §5.

use std::time::Duration;

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
            // What may be out of date, no cache is to keep.
            let max_age = if signer.is_in_touch() { issuer.lifetimes.documents } else { Duration::ZERO };
            document::respond(&headers, keys.body.clone(), &keys.etag, max_age)
        }
        Err(error) => error.into_response(),
    };
    issuer.metrics.jwks_requests.get_or_create(&Status { status: response.status().as_u16() }).inc();
    response
}
