//! The one maker of HTTP clients, and how their answers are read.

use std::sync::Arc;

use anyhow::Chain;
use reqwest::redirect;
use reqwest::{Client, ClientBuilder, Response};

use super::policy::Names;
pub use super::policy::Policy;

/// A client under `policy`; the caller adds its limits of time. It follows no redirects, which would lead past the check
/// of the address or take credentials elsewhere, and uses no proxy.
pub fn builder(policy: &Policy) -> ClientBuilder {
    let agent = concat!("uitsmijter/", env!("CARGO_PKG_VERSION"));
    let builder = Client::builder().user_agent(agent).no_proxy().redirect(redirect::Policy::none());
    match policy {
        Policy::Operator => builder,
        _ => builder.dns_resolver(Arc::new(Names(policy.clone()))),
    }
}

/// The body, or `None` if it is bigger than `most` bytes, or `has_room` says so of the next ones.
pub async fn body_within(
    response: &mut Response,
    most: usize,
    mut has_room: impl FnMut(usize) -> bool,
) -> Result<Option<Vec<u8>>, reqwest::Error> {
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > most || !has_room(chunk.len()) {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// The error with its causes in one line, without the URL, whose query may hold what somebody typed.
pub fn causes(error: reqwest::Error) -> String {
    Chain::new(&error.without_url()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
