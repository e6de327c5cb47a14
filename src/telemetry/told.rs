//! What a collector is told of a span: what stands in this list, under the names of OpenTelemetry, and nothing else.

use std::time::Duration;

use opentelemetry::trace::SpanKind;
use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter};

/// Our fields and what they are called there. The address of the person is left out on purpose.
const TOLD: [(&str, &str); 6] = [
    ("method", "http.request.method"),
    ("path", "http.route"),
    ("http.response.status_code", "http.response.status_code"),
    ("tenant", "uitsmijter.tenant"),
    ("client", "uitsmijter.client_id"),
    ("request_id", "uitsmijter.request_id"),
];

/// Exports what is left of each span.
#[derive(Debug)]
pub(super) struct Told<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for Told<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.export(batch.into_iter().map(told).collect()).await
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

fn told(mut span: SpanData) -> SpanData {
    if span.name == "request" {
        let value = |key| span.attributes.iter().find(|pair| pair.key == Key::from_static_str(key));
        let (method, route) = (value("method"), value("path"));
        if let (Some(method), Some(route)) = (method, route) {
            span.name = format!("{} {}", method.value, route.value).into();
        }
        span.span_kind = SpanKind::Server;
    }
    // Lines are sent as lines.
    span.events = SpanEvents::default();
    span.attributes = span.attributes.drain(..).filter_map(renamed).collect();
    span
}

fn renamed(pair: KeyValue) -> Option<KeyValue> {
    let (_, name) = TOLD.iter().find(|(ours, _)| *ours == pair.key.as_str())?;
    Some(KeyValue::new(*name, pair.value))
}
