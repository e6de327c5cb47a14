//! What the log calls a request.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};

/// The header that carries it, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id that the proxy gave, or one of ours.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    /// The one that a request carries, if it is short and harmless in a log.
    pub fn sent(headers: &HeaderMap) -> Option<Self> {
        let id = headers.get(REQUEST_ID)?.to_str().ok()?;
        let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        ((8..=64).contains(&id.len()) && id.bytes().all(harmless)).then(|| Self(id.into()))
    }
}
