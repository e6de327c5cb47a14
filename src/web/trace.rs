//! One span and one line per request. Neither has the query, the body or a header: they carry codes and tokens.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, Span};

use super::host::Addressee;
use super::request_id::{REQUEST_ID, RequestId};
use crate::app::App;
use crate::issuer::Issuer;
use crate::metrics::{Metrics, Route, Timed};
use crate::origin::{client_address, undeclared_proxy};
use crate::telemetry;

/// What is logged and counted of every request.
struct Traced {
    id: RequestId,
    method: &'static str,
    route: String,
}

/// The layer that gives every request its id, its span and its log line.
pub async fn trace(State(app): State<App>, request: Request, next: Next) -> Response {
    let traced = Traced::of(&request, &app);
    let (mut parts, body) = request.into_parts();
    let address = client_address(&parts, &app.settings);
    // The address of a proxy of which we were not told stands for all the people behind it.
    let undeclared = undeclared_proxy(&parts, &app.settings);
    undeclared.into_iter().for_each(|peer| app.undeclared_proxies.note(peer));
    let addressee = Addressee::of(&parts, &app, address.filter(|_| undeclared.is_none()));
    let span = tracing::info_span!(
        "request",
        request_id = &*traced.id.0,
        method = traced.method,
        path = traced.route,
        address = address.map(tracing::field::display),
        tenant = addressee.tenant(),
        client = tracing::field::Empty,
        trace_id = tracing::field::Empty,
    );
    telemetry::begin(&span, &parts.headers);
    parts.extensions.insert(traced.id.clone());
    parts.extensions.insert(addressee);
    let started = tokio::time::Instant::now();
    async move {
        let response = next.run(Request::from_parts(parts, body)).await;
        let (status, took) = (response.status(), started.elapsed());
        telemetry::answered(&Span::current(), status);
        tracing::debug!(status = status.as_u16(), milliseconds = whole_milliseconds(took), "answered");
        traced.answered(&app.services.metrics, took, response)
    }
    .instrument(span)
    .await
}

/// The layer over public documents, which are served from memory all the time: a request gets its id and its log line,
/// and a span only if it fails ([`span_of`]).
pub async fn count(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let traced = Traced::of(&request, &app);
    let RequestId(id) = traced.id.clone();
    request.extensions_mut().insert(traced.id.clone());
    let started = tokio::time::Instant::now();
    let response = next.run(request).await;
    let took = started.elapsed();
    let (status, milliseconds) = (response.status().as_u16(), whole_milliseconds(took));
    tracing::debug!(request_id = &*id, method = traced.method, path = traced.route, status, milliseconds, "answered");
    traced.answered(&app.services.metrics, took, response)
}

/// The span of a request below [`count`] that has something to report.
pub fn span_of(request: &Request, issuer: &Issuer) -> Span {
    let id = request.extensions().get::<RequestId>().map(|id| &*id.0);
    let tenant = &*issuer.tenant.name;
    tracing::info_span!(
        "request",
        request_id = id,
        method = method_label(request.method()),
        path = route(request),
        tenant
    )
}

impl Traced {
    fn of(request: &Request, app: &App) -> Self {
        let id = RequestId::sent(request.headers()).unwrap_or_else(|| RequestId(app.request_ids.name().into()));
        Self { id, method: method_label(request.method()), route: route(request).to_owned() }
    }

    /// Counts `response` and its duration, and puts the id into its headers.
    fn answered(self, metrics: &Metrics, took: Duration, mut response: Response) -> Response {
        let Self { id, method, route: path } = self;
        let status = response.status().as_u16();
        let timed = Timed { method, path };
        metrics.http_request_duration.get_or_create(&timed).observe(took.as_secs_f64());
        metrics.http_requests.get_or_create(&Route { method, path: timed.path, status }).inc();
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
}

/// The route and not the path: a path may contain personal data.
fn route(request: &Request) -> &str {
    request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str)
}

fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Clients can invent methods; labels must stay few.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
