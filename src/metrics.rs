//! What the server counts, by name, in the text format of OpenMetrics. Everyone may count; labels never carry what a
//! person or a client typed.

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

/// All counters of the server. Cheap to clone; all clones count together.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Counters>);

/// The counters, one by one.
pub struct Counters {
    registry: RwLock<Registry>,
    /// Signatures, by key. Take a counter out once and keep it: looking it up takes a lock.
    pub tokens_signed: Family<SignedWith, Counter>,
    /// Changes of the signing key that this replica carried out, and why.
    pub key_rotations: Family<Rotation, Counter>,
    /// Answers of the JWKS endpoint, by HTTP status.
    pub jwks_requests: Family<Status, Counter>,
    /// 1 while the store answers, 0 while it is away.
    pub store_up: Gauge,
    /// Sign-ins that were tried, by tenant.
    pub login_attempts: Family<OfTenant, Counter>,
    /// Sign-ins that succeeded.
    pub login_success: Family<OfTenant, Counter>,
    /// Sign-ins that failed.
    pub login_failure: Family<OfTenant, Counter>,
    /// People who signed out.
    pub logout: Family<OfTenant, Counter>,
    /// Requests that a proxy was told to let pass.
    pub interceptor_success: Family<OfTenant, Counter>,
    /// Requests that a proxy was told to hold back.
    pub interceptor_failure: Family<OfTenant, Counter>,
    /// Requests to `/authorize`.
    pub authorize_attempts: Family<OfTenant, Counter>,
    /// Answers of `/token` with tokens.
    pub oauth_success: Family<OfTenant, Counter>,
    /// Answers of `/token` without.
    pub oauth_failure: Family<OfTenant, Counter>,
    /// Answers of `/revoke` to clients that proved who they are.
    pub revoke_success: Family<OfTenant, Counter>,
    /// Other answers of `/revoke`.
    pub revoke_failure: Family<OfTenant, Counter>,
    /// Templates that could not be read, parsed or drawn.
    pub template_failures: Family<OfTenant, Counter>,
    /// Refresh tokens that were stored.
    pub token_stored: Family<OfTenant, Counter>,
    /// Lists and watches of custom resources that failed.
    pub cluster_failures: Counter,
    /// Documents that are not served as they are written: in their last good version, or not at all.
    pub registry_problems: Family<OfKind, Gauge>,
    /// Requests of clients that were refused, until somebody takes them: for the status of resources.
    pub denied: Denied,
    /// Tenants that are served.
    pub tenants: Gauge,
    /// Clients that are served.
    pub clients: Gauge,
    /// Requests, by method, route and status.
    pub http_requests: Family<Route, Counter>,
    /// How long requests took, in seconds, by method and route.
    pub http_request_duration: Family<Timed, Histogram, fn() -> Histogram>,
}

/// How often clients were refused. Only declared ones count, so it stays small.
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

    /// What was counted since the last time, by tenant and `client_id`.
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
    /// `tenant` or `client`; `unknown` for a document of which that cannot be read.
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

impl Default for Counters {
    fn default() -> Self {
        let metrics = Self {
            registry: RwLock::default(),
            tokens_signed: Family::default(),
            key_rotations: Family::default(),
            jwks_requests: Family::default(),
            store_up: Gauge::default(),
            login_attempts: Family::default(),
            login_success: Family::default(),
            login_failure: Family::default(),
            logout: Family::default(),
            interceptor_success: Family::default(),
            interceptor_failure: Family::default(),
            authorize_attempts: Family::default(),
            oauth_success: Family::default(),
            oauth_failure: Family::default(),
            revoke_success: Family::default(),
            revoke_failure: Family::default(),
            template_failures: Family::default(),
            token_stored: Family::default(),
            cluster_failures: Counter::default(),
            registry_problems: Family::default(),
            denied: Denied::default(),
            tenants: Gauge::default(),
            clients: Gauge::default(),
            http_requests: Family::default(),
            http_request_duration: Family::new_with_constructor(durations),
        };
        // The suffix _total belongs to the format, which adds it to every counter.
        metrics.register("uitsmijter_tokens_signed", "Tokens that were signed", metrics.tokens_signed.clone());
        metrics.register("uitsmijter_key_rotations", "Changes of the signing key", metrics.key_rotations.clone());
        metrics.register("uitsmijter_jwks_requests", "Requests for the JWKS", metrics.jwks_requests.clone());
        metrics.register("uitsmijter_store_up", "Whether the store answers", metrics.store_up.clone());
        metrics.register_people();
        metrics.register_http();
        // Until somebody finds out otherwise.
        metrics.store_up.set(1);
        metrics
    }
}

impl Counters {
    fn register_people(&self) {
        let counters = [
            ("uitsmijter_login_attempts", "Sign-ins that were tried", &self.login_attempts),
            ("uitsmijter_login_success", "Sign-ins that succeeded", &self.login_success),
            ("uitsmijter_login_failure", "Sign-ins that failed", &self.login_failure),
            ("uitsmijter_logout", "People who signed out", &self.logout),
            ("uitsmijter_interceptor_success", "Requests that a proxy may let pass", &self.interceptor_success),
            ("uitsmijter_interceptor_failure", "Requests that a proxy holds back", &self.interceptor_failure),
            ("uitsmijter_authorize_attempts", "Requests to /authorize", &self.authorize_attempts),
            ("uitsmijter_oauth_success", "Answers of /token with tokens", &self.oauth_success),
            ("uitsmijter_oauth_failure", "Answers of /token without tokens", &self.oauth_failure),
            ("uitsmijter_revoke_success", "Revocations by a client that proved itself", &self.revoke_success),
            ("uitsmijter_revoke_failure", "Revocations that were refused", &self.revoke_failure),
            ("uitsmijter_token_stored", "Refresh tokens that were stored", &self.token_stored),
            ("uitsmijter_template_failures", "Templates that could not be used", &self.template_failures),
        ];
        counters.into_iter().for_each(|(name, help, counter)| self.register(name, help, counter.clone()));
        self.register("uitsmijter_tenants_count", "Tenants that are served", self.tenants.clone());
        self.register("uitsmijter_clients_count", "Clients that are served", self.clients.clone());
        let help = "Tenants and clients that are not served as they are written";
        self.register("uitsmijter_registry_problems", help, self.registry_problems.clone());
        let help = "Lists and watches of custom resources that failed";
        self.register("uitsmijter_cluster_failures", help, self.cluster_failures.clone());
    }

    fn register_http(&self) {
        self.register("http_requests", "Requests", self.http_requests.clone());
        let durations = self.http_request_duration.clone();
        self.register("http_request_duration_seconds", "How long requests took", durations);
    }

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
