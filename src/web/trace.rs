//! One span and one line per request. Neither has the query, a body or a header: they carry codes and tokens.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, Span};

use super::forwarded::client_address;
use crate::app::App;
use crate::metrics::{Metrics, Route, Timed};
use crate::telemetry;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the log calls a request: the id that the proxy gave, or one of ours.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// The layer that gives every request its id, its span and its line.
pub async fn trace(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let id = RequestId(sent_id(&parts.headers).unwrap_or_else(|| app.random.identifier()).into());
    // The route and not the path: what people put into a path is theirs.
    let route = parts.extensions.get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = usual(&parts.method);
    let address = client_address(&parts, &app.settings).map(|address| address.to_string());
    let span = tracing::info_span!(
        "request",
        request_id = &*id.0,
        method,
        path = route,
        address,
        tenant = tracing::field::Empty,
        client = tracing::field::Empty,
        trace_id = tracing::field::Empty,
    );
    telemetry::begin(&span, &parts.headers);
    parts.extensions.insert(id.clone());
    let started = tokio::time::Instant::now();
    async move {
        let mut response = next.run(Request::from_parts(parts, body)).await;
        let took = started.elapsed();
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        telemetry::answered(&Span::current(), response.status());
        tracing::debug!(status = response.status().as_u16(), milliseconds, "answered");
        count(&app.metrics, method, route, response.status().as_u16(), took);
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(REQUEST_ID.clone(), value);
        }
        response
    }
    .instrument(span)
    .await
}

/// Methods are a person's to invent, labels are not.
fn usual(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn count(metrics: &Metrics, method: &'static str, path: String, status: u16, took: Duration) {
    metrics.http_request_duration.get_or_create(&Timed { method, path: path.clone() }).observe(took.as_secs_f64());
    metrics.http_requests.get_or_create(&Route { method, path, status }).inc();
}

fn sent_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(&REQUEST_ID)?.to_str().ok()?;
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((8..=64).contains(&id.len()) && id.bytes().all(harmless)).then(|| id.to_owned())
}
