//! The metrics of the server, in the text format of OpenMetrics. Labels never carry what a person or a client typed.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::{Context, Result};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// The media type of [`Counters::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A counter for each tenant.
pub type PerTenant = Family<OfTenant, Counter>;

/// All counters of the server. Cheap to clone; all clones count together.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Counters>);

/// Declares the counters: each is a field, described by its help text, and registered under its name. The format adds
/// `_total` to the name of every counter. The order is that of the answer.
macro_rules! counters {
    ($($(#[$more:meta])* $field:ident: $kind:ty $(= $new:expr)? => $name:literal, $help:literal;)*) => {
        /// The counters, one by one.
        pub struct Counters {
            registry: RwLock<Registry>,
            /// Requests of clients that were refused, until they are taken for the status of resources.
            pub denied: Denied,
            $(#[doc = concat!($help, ".")] $(#[$more])* pub $field: $kind,)*
        }

        impl Default for Counters {
            fn default() -> Self {
                let metrics = Self {
                    registry: RwLock::default(),
                    denied: Denied::default(),
                    $($field: counters!(@new $($new)?),)*
                };
                $(metrics.register($name, $help, metrics.$field.clone());)*
                // Until somebody finds out otherwise.
                metrics.store_up.set(1);
                metrics
            }
        }
    };
    (@new) => { Default::default() };
    (@new $new:expr) => { $new };
}

counters! {
    /// Take a counter out once and keep it: looking it up takes a lock.
    tokens_signed: Family<SignedWith, Counter> => "uitsmijter_tokens_signed", "Tokens that were signed";
    key_rotations: Family<Rotation, Counter> => "uitsmijter_key_rotations", "Changes of the signing key";
    jwks_requests: Family<Status, Counter> => "uitsmijter_jwks_requests", "Requests for the JWKS";
    /// 1 or 0.
    store_up: Gauge => "uitsmijter_store_up", "Whether the store answers";
    login_attempts: PerTenant => "uitsmijter_login_attempts", "Sign-ins that were tried";
    login_success: PerTenant => "uitsmijter_login_success", "Sign-ins that succeeded";
    login_failure: PerTenant => "uitsmijter_login_failure", "Sign-ins that failed";
    logout: PerTenant => "uitsmijter_logout", "People who signed out";
    interceptor_success: PerTenant => "uitsmijter_interceptor_success", "Requests that a proxy may let pass";
    interceptor_failure: PerTenant => "uitsmijter_interceptor_failure", "Requests that a proxy holds back";
    authorize_attempts: PerTenant => "uitsmijter_authorize_attempts", "Requests to /authorize";
    oauth_success: PerTenant => "uitsmijter_oauth_success", "Answers of /token with tokens";
    oauth_failure: PerTenant => "uitsmijter_oauth_failure", "Answers of /token without tokens";
    revoke_success: PerTenant => "uitsmijter_revoke_success", "Revocations by a client that proved itself";
    revoke_failure: PerTenant => "uitsmijter_revoke_failure", "Revocations that were refused";
    token_stored: PerTenant => "uitsmijter_token_stored", "Refresh tokens that were stored";
    template_failures: PerTenant => "uitsmijter_template_failures", "Templates that could not be used";
    sessions: Family<OfTenant, Gauge> => "uitsmijter_sessions", "Living sessions, of all replicas together";
    tenants: Gauge => "uitsmijter_tenants_count", "Tenants that are served";
    clients: Gauge => "uitsmijter_clients_count", "Clients that are served";
    registry_problems: Family<OfKind, Gauge>
        => "uitsmijter_registry_problems", "Tenants and clients that are not served as they are written";
    cluster_failures: Counter => "uitsmijter_cluster_failures", "Lists and watches of custom resources that failed";
    http_requests: Family<Route, Counter> => "http_requests", "Requests";
    http_request_duration: Family<Timed, Histogram, fn() -> Histogram> = Family::new_with_constructor(durations)
        => "http_request_duration_seconds", "How long requests took";
}

/// Refused requests, by client. Only declared clients count, so it stays small.
#[derive(Default)]
pub struct Denied(Mutex<HashMap<TenantsClient, u64>>);

/// A tenant's name and a `client_id` of it.
pub type TenantsClient = (Arc<str>, Arc<str>);

impl Denied {
    /// Counts one more for the client of that tenant with that `client_id`.
    pub fn add(&self, tenant: &Arc<str>, client_id: &Arc<str>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((tenant.clone(), client_id.clone())).or_default() += 1;
    }

    /// The counts since the last call, by tenant and `client_id`.
    pub fn take(&self) -> HashMap<TenantsClient, u64> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The label of what belongs to a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfTenant {
    /// The tenant's name.
    pub tenant: String,
}

/// The label of what is declared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfKind {
    /// `tenant` or `client`; `unknown` for an unreadable document.
    pub kind: &'static str,
}

/// The labels of a request. The route is one of the route table, never what somebody typed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Route {
    /// The method; `other` for the unusual ones.
    pub method: &'static str,
    /// The route's pattern.
    pub path: String,
    /// The status.
    pub status: u16,
}

/// The labels of a duration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Timed {
    /// The method; `other` for the unusual ones.
    pub method: &'static str,
    /// The route's pattern.
    pub path: String,
}

impl OfTenant {
    /// The label for `tenant`.
    pub fn named(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned() }
    }
}

/// From a millisecond, which a document takes, to ten seconds, which a slow login script takes.
fn durations() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
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

impl Deref for Metrics {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.0
    }
}

impl Counters {
    /// Registers a metric under its full name (a counter's without `_total`).
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry.write().unwrap_or_else(PoisonError::into_inner).register(name, help, metric);
    }

    /// Registers metrics that are computed when they are read.
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
