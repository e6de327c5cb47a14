//! In place of OpenTelemetry, in a program that was built without it (feature `telemetry`).

use anyhow::{Result, ensure};
use http::{HeaderMap, StatusCode};
use reqwest::ClientBuilder;
use tokio::runtime::Handle;
use tracing::Span;
use tracing_subscriber::layer::Filter;
use tracing_subscriber::{Layer, Registry};

use super::Collectors;

/// Does not exist without the feature.
pub enum Telemetry {}

impl Telemetry {
    /// Errors: if a collector is named.
    pub fn start(collectors: &Collectors, _: ClientBuilder, _: &Handle) -> Result<Option<Self>> {
        ensure!(!collectors.is_named(), "this program was built without OpenTelemetry (feature `telemetry`)");
        Ok(None)
    }

    /// Never called.
    pub fn layers<F: Filter<Registry>>(&self, _: F) -> Vec<Box<dyn Layer<Registry> + Send + Sync>> {
        match *self {}
    }

    /// Never called.
    pub fn stop(self) {
        match self {}
    }
}

/// Does nothing.
pub fn begin(_: &Span, _: &HeaderMap) {}

/// Does nothing.
pub fn answered(_: &Span, _: StatusCode) {}

/// Does nothing.
pub fn join(_: &Span) {}

/// Does nothing.
pub fn pass_on(_: &mut HeaderMap) {}
