//! What the server counts, by name, in the text format of OpenMetrics. Everyone may count; labels never carry what a
//! person or a client typed.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All counters of the server. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<RwLock<Registry>>,
    /// Signatures, by key. Take a counter out once and keep it: looking it up takes a lock.
    pub tokens_signed: Family<SignedWith, Counter>,
    /// Changes of the signing key that this replica carried out, and why.
    pub key_rotations: Family<Rotation, Counter>,
    /// Answers of the JWKS endpoint, by HTTP status.
    pub jwks_requests: Family<Status, Counter>,
    /// 1 while the store answers, 0 while it is away.
    pub store_up: Gauge,
}

/// The labels of a signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SignedWith {
    /// Whose token.
    pub tenant: String,
    /// The key; empty for HS256.
    pub kid: String,
    /// The algorithm.
    pub alg: &'static str,
}

/// The labels of a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Rotation {
    /// Whose key.
    pub tenant: String,
    /// `first`, `adopted`, `due`, `algorithm` or `operator`.
    pub reason: &'static str,
}

/// The label of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Status {
    /// The HTTP status.
    pub status: u16,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Arc::default(),
            tokens_signed: Family::default(),
            key_rotations: Family::default(),
            jwks_requests: Family::default(),
            store_up: Gauge::default(),
        };
        // The suffix _total belongs to the format, which adds it to every counter.
        metrics.register("uitsmijter_tokens_signed", "Tokens that were signed", metrics.tokens_signed.clone());
        metrics.register("uitsmijter_key_rotations", "Changes of the signing key", metrics.key_rotations.clone());
        metrics.register("uitsmijter_jwks_requests", "Requests for the JWKS", metrics.jwks_requests.clone());
        metrics.register("uitsmijter_store_up", "Whether the store answers", metrics.store_up.clone());
        // Until somebody finds out otherwise.
        metrics.store_up.set(1);
        metrics
    }
}

impl Metrics {
    /// Adds a metric of some part of the server, under its whole name (a counter's without `_total`).
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry.write().unwrap_or_else(PoisonError::into_inner).register(name, help, metric);
    }

    /// Adds metrics that are made at the moment at which somebody asks.
    pub fn register_collector(&self, collector: Box<dyn Collector>) {
        self.registry.write().unwrap_or_else(PoisonError::into_inner).register_collector(collector);
    }

    /// Everything, as [`CONTENT_TYPE`].
    pub fn encode(&self) -> Result<String> {
        let mut text = String::new();
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        text::encode(&mut text, &registry).context("the metrics could not be written")?;
        Ok(text)
    }
}
