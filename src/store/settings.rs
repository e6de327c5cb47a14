//! What the process is told about its store. Both stores can be described whatever was compiled in, so that a missing
//! feature is answered with a sentence.

use std::path::PathBuf;

use serde::Deserialize;

use crate::secret::Secret;

/// Where state lives: in Redis if `redis` is there, otherwise in the file `path`, otherwise in memory.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// The file of the embedded store.
    pub path: Option<PathBuf>,
    /// The shared store.
    pub redis: Option<RedisSettings>,
}

/// How to reach Redis: one server (`url`, or `host` and `port`), or `sentinel`, or `cluster_hosts`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSettings {
    /// `redis://user:password@host:port/db`, or `rediss://` for TLS; what stands in it wins over the single settings.
    pub url: Option<Secret>,
    /// The server's name or address.
    pub host: String,
    /// The server's port; also the default port of `cluster_hosts`.
    pub port: u16,
    /// The user of Redis' access control lists; without it, the password is that of the default user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The number of the database; a cluster only has 0.
    pub db: u16,
    /// Whether to speak TLS, to the sentinels too.
    pub tls: bool,
    /// A PEM file with the authorities to trust, in place of the system's. Implies `tls`.
    pub ca_file: Option<PathBuf>,
    /// Ask these who the master is.
    pub sentinel: Option<SentinelSettings>,
    /// Some nodes of a Redis Cluster, each `host` or `host:port`; they tell the others.
    pub cluster_hosts: Vec<String>,
    /// How long one answer may take, in milliseconds, before the store counts as unavailable.
    pub response_timeout_ms: u64,
    /// What every key begins with. Braces would break the placement of keys in a cluster and are refused.
    pub prefix: String,
}

/// The sentinels that watch over a master and its replicas.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SentinelSettings {
    /// Each `host` or `host:port`; the default port is 26379.
    pub hosts: Vec<String>,
    /// The name under which the sentinels know the master.
    pub master: String,
    /// The user for the sentinels themselves.
    pub username: Option<String>,
    /// The password for the sentinels themselves.
    pub password: Option<Secret>,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: None,
            host: "localhost".to_owned(),
            port: 6379,
            username: None,
            password: None,
            db: 0,
            tls: false,
            ca_file: None,
            sentinel: None,
            cluster_hosts: Vec::new(),
            response_timeout_ms: 500,
            prefix: "uitsmijter:".to_owned(),
        }
    }
}
