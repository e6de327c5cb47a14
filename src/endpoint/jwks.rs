//! `GET /.well-known/jwks.json`: RFC 7517 §5.

use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};

use crate::document;
use crate::issuer::Issuer;
use crate::metrics::Status;
use crate::web::cors;
use crate::web::trace::span_of;

/// The tenant's public keys, the signing one first, as last stored: nothing is computed here.
pub async fn get(issuer: Result<Issuer, Response>, request: Request) -> Response {
    let issuer = match issuer {
        Ok(issuer) => issuer,
        Err(nobody) => return cors::to_anyone(nobody),
    };
    let response = match issuer.signer().await {
        Ok(signer) => {
            let keys = signer.jwk_set();
            // Caches must not keep a key set that may be outdated.
            let max_age = if signer.is_in_touch() { issuer.services.documents_max_age } else { Duration::ZERO };
            document::respond(request.headers(), keys.body.clone(), &keys.etag, max_age)
        }
        Err(error) => span_of(&request, &issuer).in_scope(|| error.into_response()),
    };
    issuer.services.metrics.jwks_requests.get_or_create(&Status { status: response.status().as_u16() }).inc();
    cors::to_anyone(response)
}
