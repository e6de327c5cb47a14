//! A telemetry collector: decodes what it receives by OTLP over HTTP, or refuses, or never responds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

/// How a collector responds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Takes,
    Refuses,
    Hangs,
}

/// What arrived.
#[derive(Clone, Default)]
pub(crate) struct Arrived {
    pub(crate) spans: Vec<Span>,
    pub(crate) lines: Vec<LogRecord>,
    /// Resource attributes: `key=value`.
    pub(crate) resources: Vec<String>,
    pub(crate) headers: Vec<HeaderMap>,
    /// All bodies, undecoded.
    pub(crate) bytes: Vec<u8>,
    /// The number of exports.
    pub(crate) calls: usize,
}

#[derive(Default)]
struct Inner {
    mood: Mutex<Mood>,
    arrived: Mutex<Arrived>,
}

/// A collector on its own port, until the runtime ends.
pub(crate) struct Collector {
    inner: Arc<Inner>,
    /// Its URL.
    pub(crate) url: String,
}

impl Collector {
    pub(crate) async fn start(mood: Mood) -> Self {
        let inner = Arc::new(Inner { mood: Mutex::new(mood), ..Inner::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(receive).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inner, url }
    }

    pub(crate) fn becomes(&self, mood: Mood) {
        *self.inner.mood.lock().expect("no test panics with this lock") = mood;
    }

    /// Everything so far.
    pub(crate) fn arrived(&self) -> Arrived {
        self.inner.arrived.lock().expect("no test panics with this lock").clone()
    }

    /// Everything, once the condition holds.
    pub(crate) async fn wait(&self, what: &str, enough: impl Fn(&Arrived) -> bool) -> Arrived {
        for _ in 0..400 {
            let arrived = self.arrived();
            if enough(&arrived) {
                return arrived;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let arrived = self.arrived();
        panic!("{what} did not arrive: {:#?}", arrived.spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    }
}

async fn receive(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mood = *inner.mood.lock().expect("no test panics with this lock");
    inner.arrived.lock().expect("no test panics with this lock").calls += 1;
    match mood {
        Mood::Takes => {}
        Mood::Refuses => return StatusCode::SERVICE_UNAVAILABLE,
        Mood::Hangs => return std::future::pending().await,
    }
    let mut arrived = inner.arrived.lock().expect("no test panics with this lock");
    arrived.bytes.extend_from_slice(&body);
    arrived.headers.push(headers);
    let mut attributes = Vec::new();
    match uri.path() {
        "/v1/traces" => {
            for of_one in ExportTraceServiceRequest::decode(body).expect("traces").resource_spans {
                attributes.extend(of_one.resource.expect("a resource").attributes);
                arrived.spans.extend(of_one.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        "/v1/logs" => {
            for of_one in ExportLogsServiceRequest::decode(body).expect("logs").resource_logs {
                attributes.extend(of_one.resource.expect("a resource").attributes);
                arrived.lines.extend(of_one.scope_logs.into_iter().flat_map(|scope| scope.log_records));
            }
        }
        other => panic!("nobody listens at {other}"),
    }
    arrived.resources.extend(attributes.iter().map(|pair| format!("{}={}", pair.key, text(pair.value.as_ref()))));
    StatusCode::OK
}

/// An attribute as text; empty where there is none.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let pair = attributes.iter().find(|pair| pair.key == key);
    text(pair.and_then(|pair| pair.value.as_ref()))
}

/// A value as text.
pub(crate) fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

/// An id as W3C writes it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
