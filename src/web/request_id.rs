//! The id of a request in the log.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};

/// The header with the id, in requests and responses.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id from the proxy, or one of ours.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    /// The id that a request carries, if it is short and safe to log.
    pub fn sent(headers: &HeaderMap) -> Option<Self> {
        let id = headers.get(REQUEST_ID)?.to_str().ok()?;
        let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        ((8..=64).contains(&id.len()) && id.bytes().all(harmless)).then(|| Self(id.into()))
    }
}
