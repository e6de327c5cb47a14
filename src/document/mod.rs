//! Public documents that caches may keep: RFC 9110 §8.8.3 and §13.1.2, RFC 9111 §5.2.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

pub mod kept_metadata;

/// What a document about a tenant depends on: the host leads to the tenant, and scheme and host stand in its URLs.
pub const VARY: &str = "host, x-forwarded-host, x-forwarded-proto";

/// A JSON document of the tenant of the request's host, with a strong entity tag; 304 if the client has it already.
///
/// Caches may keep it for `max_age`.
pub fn respond(request: &HeaderMap, body: Bytes, etag: &str, max_age: Duration) -> Response {
    let (Ok(tag), Ok(cache)) =
        (HeaderValue::from_str(etag), HeaderValue::try_from(format!("public, max-age={}", max_age.as_secs())))
    else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let caching = [(header::ETAG, tag), (header::CACHE_CONTROL, cache), (header::VARY, HeaderValue::from_static(VARY))];
    if has_it(request, etag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (StatusCode::OK, caching, json, body).into_response()
}

/// RFC 9110 §13.1.2: weak comparison, a list, or `*`.
fn has_it(request: &HeaderMap, etag: &str) -> bool {
    let sent = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// The strong entity tag of a body, with its quotes.
pub fn etag(body: &[u8]) -> String {
    format!("\"{}\"", &crate::store::digest_of(body)[..22])
}
