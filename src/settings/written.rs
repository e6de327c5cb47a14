//! The settings as they are written.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use crate::protocol::duration::Span;
use crate::secret::Secret;

/// The keys of the configuration file. What is `None` by default depends on other settings; see `config.example.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "config.example.yaml documents every key for its reader")]
pub struct Written {
    pub environment: Environment,
    pub listen: Option<SocketAddr>,
    pub metrics_listen: Option<SocketAddr>,
    #[serde(deserialize_with = "or_default")]
    pub tls: WrittenTls,
    pub public_domain: Option<String>,
    pub secure: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    pub lifetimes: WrittenLifetimes,
    pub sessions_per_person: usize,
    pub confirm_native: bool,
    #[serde(deserialize_with = "or_default")]
    pub cookie_domains: BTreeMap<String, String>,
    pub directory: PathBuf,
    pub claims: ClaimConflicts,
    #[serde(deserialize_with = "or_default")]
    pub kubernetes: Kubernetes,
    #[serde(deserialize_with = "or_default")]
    pub script: Script,
    #[serde(deserialize_with = "or_default")]
    pub templates: WrittenTemplates,
    pub allow_missing_providers: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    pub may_stay: WrittenMayStay,
    pub display_version: bool,
    pub openapi: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    pub log: Log,
    #[serde(deserialize_with = "or_default")]
    pub audit: WrittenAudit,
    #[serde(deserialize_with = "or_default")]
    pub telemetry: WrittenTelemetry,
    #[serde(deserialize_with = "or_default")]
    pub login_protection: WrittenLoginProtection,
    #[serde(deserialize_with = "or_default")]
    pub connections: WrittenConnections,
    pub trusted_proxies: Option<Vec<String>>,
    #[serde(deserialize_with = "or_default")]
    pub outgoing: WrittenOutgoing,
    #[serde(deserialize_with = "or_default")]
    pub store: WrittenStore,
    #[serde(deserialize_with = "or_default")]
    pub signing: WrittenSigning,
}

/// What kind of installation it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "named after what they are")]
pub enum Environment {
    #[default]
    Development,
    Production,
}

/// What becomes of conflicts of names that an installation had before names were claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimConflicts {
    /// Those that the server finds at its first start are warned of.
    #[default]
    Warn,
    /// None is served.
    Refuse,
}

/// Files of the certificate and its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenTls {
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// Lifetimes, in the units of their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenLifetimes {
    pub access_token_hours: f64,
    pub refresh_token_hours: f64,
    pub refresh_absolute_hours: Option<f64>,
    pub session_days: f64,
}

/// Custom resources as a source of tenants and clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kubernetes {
    /// Read custom resources.
    pub enabled: bool,
    /// Only from one namespace.
    pub scoped: bool,
    /// Which one; the process's own where it is left out.
    pub namespace: Option<String>,
    /// Judge resources before they are stored.
    #[serde(deserialize_with = "or_default")]
    pub webhook: WrittenWebhook,
}

/// The validating webhook: where it listens, and the certificate that the API server trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenWebhook {
    pub listen: Option<SocketAddr>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// Limits of login scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    pub timeout: Span,
    pub memory: Option<u64>,
}

/// Asking whether people who signed in before may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenMayStay {
    pub every_minutes: u32,
    pub stale_minutes: u32,
}

/// Tenants' templates in buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenTemplates {
    pub refresh: Span,
}

/// How guessing passwords is slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenLoginProtection {
    pub enabled: bool,
    pub free_attempts: u32,
    pub free_attempts_per_address: u32,
    pub longest_delay: Span,
}

/// How many connections there may be, and how long they may do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenConnections {
    pub most: Option<usize>,
    pub per_address: usize,
    pub first_byte: Span,
    pub idle: Span,
}

/// What is logged and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "config.example.yaml documents every key for its reader")]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

/// What audit lines say of people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenAudit {
    pub user_names: LoggedAs,
}

/// How user names that led to no sign-in are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoggedAs {
    /// As a keyed digest.
    #[default]
    Digest,
    /// As typed.
    Clear,
}

/// Where traces and logs are also sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenTelemetry {
    pub endpoint: Option<String>,
    pub traces_endpoint: Option<String>,
    pub logs_endpoint: Option<String>,
}

/// The levels that operators of Swift servers know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the usual words")]
pub enum LogLevel {
    Trace,
    Debug,
    #[default]
    Info,
    Notice,
    #[serde(alias = "warn")]
    Warning,
    Error,
    Critical,
}

impl LogLevel {
    /// The level for `tracing`, which has fewer.
    pub fn tracing(self) -> tracing::Level {
        match self {
            Self::Trace => tracing::Level::TRACE,
            Self::Debug => tracing::Level::DEBUG,
            Self::Info | Self::Notice => tracing::Level::INFO,
            Self::Warning => tracing::Level::WARN,
            Self::Error | Self::Critical => tracing::Level::ERROR,
        }
    }
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the usual words")]
pub enum LogFormat {
    #[default]
    Console,
    Ndjson,
}

/// Calls to addresses that clients and tenants name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenOutgoing {
    pub allow_private_addresses: Option<bool>,
    pub private: Option<Vec<String>>,
}

/// Where state lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenStore {
    pub path: Option<PathBuf>,
    #[serde(deserialize_with = "or_default")]
    pub redis: Redis,
}

/// How Redis is reached: one server (`url`, or `host` and `port`), or `sentinel`, or `cluster_hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Redis {
    /// `redis://user:password@host:port/db`, or `rediss://`; may carry a password.
    pub url: Option<Secret>,
    /// Name or address of the server.
    pub host: Option<String>,
    /// Its port, also that of cluster nodes that name none.
    pub port: u16,
    /// The user of Redis' access control lists.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The number of the database.
    pub db: u16,
    /// Whether to speak TLS.
    pub tls: bool,
    /// Authorities to trust in place of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// How the master is found.
    #[serde(deserialize_with = "or_default")]
    pub sentinel: Sentinel,
    /// Some nodes of a Redis Cluster.
    #[serde(deserialize_with = "or_default")]
    pub cluster_hosts: Vec<String>,
}

/// Sentinels, which know the master.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sentinel {
    /// Each `host` or `host:port`.
    pub hosts: Vec<String>,
    /// The name under which they know the master.
    pub master: Option<String>,
    /// The user for the sentinels themselves.
    pub username: Option<String>,
    /// The password for the sentinels themselves.
    pub password: Option<Secret>,
}

/// How tokens are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenSigning {
    pub algorithm: Option<String>,
    pub rotate_every: Span,
    pub announce: Span,
    pub grace: Span,
    pub jwks_max_age: Span,
    pub scope: KeyScope,
    pub rsa_bits: u32,
    pub hs256_secret: Option<Secret>,
    #[serde(deserialize_with = "or_default")]
    pub seal_secrets: Vec<Secret>,
}

/// Which tenants share a set of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyScope {
    /// Each tenant has its own.
    #[default]
    Tenant,
    /// One for all, for those who migrate from such a server.
    Shared,
}

/// A section whose lines are all comments is a section left out.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
