//! The trace of a request: taken from its caller, and passed on to the servers that we call (W3C Trace Context).

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Status, TraceContextExt, TraceId};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Which trace and which span of it. `tracestate` and `baggage` are neither taken nor sent: strangers write them, and
/// what they say would go to addresses that other strangers name.
const TRACEPARENT: &str = "traceparent";

/// Makes the span of a request part of the trace that its headers name, and writes the trace's id into the span's field
/// `trace_id`. Without telemetry the id is that of the headers, if they have one.
pub fn begin(span: &Span, headers: &HeaderMap) {
    let caller = if headers.contains_key(TRACEPARENT) {
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Received(headers))
    } else {
        Context::new()
    };
    let named = trace_id(&caller);
    if named.is_some() {
        // Fails where nothing is traced, and then there is nothing to do.
        let _ = span.set_parent(caller);
    }
    record(span, trace_id(&span.context()).or(named));
}

/// Records the status of the answer; our own faults are errors of the span.
pub fn answered(span: &Span, status: StatusCode) {
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
}

/// Makes `span`, which has no parent, continue the current trace. A child would keep its parent from ending.
pub fn join(span: &Span) {
    let context = Span::current().context();
    if let Some(id) = trace_id(&context) {
        let _ = span.set_parent(context);
        record(span, Some(id));
    }
}

/// Adds the current trace to the headers of an outgoing request.
pub fn pass_on(headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut Sent(headers));
}

fn trace_id(context: &Context) -> Option<TraceId> {
    Some(context.span().span_context().trace_id()).filter(|id| *id != TraceId::INVALID)
}

fn record(span: &Span, id: Option<TraceId>) {
    if let Some(id) = id {
        span.record("trace_id", field::display(id));
    }
}

struct Received<'h>(&'h HeaderMap);

impl Extractor for Received<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all(key).iter();
        let only = values.next().filter(|_| key == TRACEPARENT)?;
        // Two of them cannot both be right.
        let text = values.next().is_none().then(|| only.to_str().ok())??;
        is_shaped(text).then_some(text)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// Whether version, trace, span and flags have their lengths: the reader takes shorter ones for small numbers.
fn is_shaped(text: &str) -> bool {
    let mut parts = text.split('-').map(str::len);
    [2, 32, 16, 2].iter().all(|length| parts.next() == Some(*length))
}

struct Sent<'h>(&'h mut HeaderMap);

impl Injector for Sent<'_> {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT
            && let Ok(value) = HeaderValue::try_from(value)
        {
            self.0.insert(HeaderName::from_static(TRACEPARENT), value);
        }
    }
}
