//! Gathers spans and log lines in bounded queues, and sends them in batches apart from requests.

use std::time::Duration;

use anyhow::{Context, Result};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_appender_tracing::layer::{OpenTelemetryTracingBridge, TracingSpanAttributes};
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::ClientBuilder;
use tokio::runtime::Handle;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::{Layer, Registry};
use url::Url;

use super::Collectors;
use super::courier::Courier;
use super::span_attributes::KnownAttributes;

/// From a request to the last byte of its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long what is left may take to be sent when the server stops.
const FLUSH: Duration = Duration::from_secs(3);
/// The fields of its request that a line carries.
const OF_THE_REQUEST: [&str; 5] = ["request_id", "method", "path", "tenant", "client"];

/// The exporters. Sampling, queues, headers and resource attributes follow the variables `OTEL_*`.
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
}

impl Telemetry {
    /// Begins to gather for the collectors that are named, and sends by `http` on `runtime`, which must outlive it. Gives
    /// nothing if none is named.
    ///
    /// Errors: if a variable of OpenTelemetry is bad.
    pub fn start(collectors: &Collectors, http: ClientBuilder, runtime: &Handle) -> Result<Option<Self>> {
        if !collectors.is_named() {
            return Ok(None);
        }
        let resource = resource();
        let client = http.timeout(TIMEOUT).build().context("telemetry cannot be sent")?;
        let courier = |signal| Courier::new(signal, &client, runtime);
        let traces = collectors.traces.as_ref().map(|url| traces(url, &resource, courier("traces"))).transpose()?;
        let logs = collectors.logs.as_ref().map(|url| logs(url, &resource, courier("logs"))).transpose()?;
        Ok(Some(Self { traces, logs }))
    }

    /// The layers for a subscriber; `lines` selects the lines that are sent.
    pub fn layers<F>(&self, lines: F) -> Vec<Box<dyn Layer<Registry> + Send + Sync>>
    where
        F: Filter<Registry> + Send + Sync + 'static,
    {
        let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
        if let Some(provider) = &self.traces {
            // Our spans only, whatever the log level: a quiet log does not mean that nobody wants traces.
            let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("uitsmijter"));
            let layer = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("uitsmijter"))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false);
            layers.push(layer.with_filter(ours.with_max_level_hint(LevelFilter::INFO)).boxed());
        }
        if let Some(provider) = &self.logs {
            let bridge = OpenTelemetryTracingBridge::builder(provider)
                .with_tracing_span_attributes(TracingSpanAttributes::allowlist(OF_THE_REQUEST));
            layers.push(bridge.build().with_filter(lines).boxed());
        }
        layers
    }

    /// Sends what is left, within seconds. Blocks: not for a thread of the runtime.
    pub fn stop(self) {
        // Both at the same time. An outage has been logged already.
        std::thread::scope(|scope| {
            scope.spawn(|| self.traces.map(|provider| provider.shutdown_with_timeout(FLUSH)));
            scope.spawn(|| self.logs.map(|provider| provider.shutdown_with_timeout(FLUSH)));
        });
    }
}

fn traces(url: &Url, resource: &Resource, courier: Courier) -> Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(courier)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url.as_str())
        .build()
        .context("traces cannot be sent")?;
    let provider = SdkTracerProvider::builder().with_resource(resource.clone());
    Ok(provider.with_batch_exporter(KnownAttributes(exporter)).build())
}

fn logs(url: &Url, resource: &Resource, courier: Courier) -> Result<SdkLoggerProvider> {
    let exporter = LogExporter::builder()
        .with_http()
        .with_http_client(courier)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url.as_str())
        .build()
        .context("logs cannot be sent")?;
    Ok(SdkLoggerProvider::builder().with_resource(resource.clone()).with_batch_exporter(exporter).build())
}

/// The resource as `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` describe it, by default under our own name.
fn resource() -> Resource {
    let described = Resource::builder().build();
    let named = described.get(&Key::from_static_str("service.name"));
    let named = named.filter(|name| !name.as_str().starts_with("unknown_service"));
    let name = named.unwrap_or_else(|| "uitsmijter".into());
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder().with_attribute(version).with_service_name(name).build()
}
