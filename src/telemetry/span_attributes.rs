//! The attributes of a span that are sent: those on this list, under OpenTelemetry's names, and no others.

use std::time::Duration;

use opentelemetry::trace::SpanKind;
use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter};

/// Our fields, and their names in OpenTelemetry. The person's address is left out on purpose.
const KNOWN: [(&str, &str); 6] = [
    ("method", "http.request.method"),
    ("path", "http.route"),
    ("http.response.status_code", "http.response.status_code"),
    ("tenant", "uitsmijter.tenant"),
    ("client", "uitsmijter.client_id"),
    ("request_id", "uitsmijter.request_id"),
];

/// Exports spans with their known attributes only.
#[derive(Debug)]
pub(super) struct KnownAttributes<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for KnownAttributes<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.export(batch.into_iter().map(reduced).collect()).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.0.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn reduced(mut span: SpanData) -> SpanData {
    if span.name == "request" {
        let value = |key| span.attributes.iter().find(|pair| pair.key == Key::from_static_str(key));
        let (method, route) = (value("method"), value("path"));
        if let (Some(method), Some(route)) = (method, route) {
            span.name = format!("{} {}", method.value, route.value).into();
        }
        span.span_kind = SpanKind::Server;
    }
    // Log lines are sent as logs, not as events of a span.
    span.events = SpanEvents::default();
    span.attributes = span.attributes.drain(..).filter_map(renamed).collect();
    span
}

fn renamed(pair: KeyValue) -> Option<KeyValue> {
    let (_, name) = KNOWN.iter().find(|(ours, _)| *ours == pair.key.as_str())?;
    Some(KeyValue::new(*name, pair.value))
}
