//! Traces and logs for a collector, by OTLP over HTTP, and the trace that a request belongs to (W3C Trace Context).
//! Without a collector nothing of it runs.

use url::Url;

#[cfg(feature = "telemetry")]
mod context;
#[cfg(feature = "telemetry")]
mod courier;
#[cfg(feature = "telemetry")]
mod export;
#[cfg(not(feature = "telemetry"))]
mod no_telemetry;
#[cfg(feature = "telemetry")]
mod span_attributes;

#[cfg(feature = "telemetry")]
pub use context::{answered, begin, join, pass_on};
#[cfg(feature = "telemetry")]
pub use export::Telemetry;
#[cfg(not(feature = "telemetry"))]
pub use no_telemetry::{Telemetry, answered, begin, join, pass_on};

/// Where each signal is sent; nowhere by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collectors {
    /// Of traces, with its path.
    pub traces: Option<Url>,
    /// Of log lines, with its path.
    pub logs: Option<Url>,
}

impl Collectors {
    /// Whether anything is sent anywhere.
    pub fn is_named(&self) -> bool {
        self.traces.is_some() || self.logs.is_some()
    }
}
