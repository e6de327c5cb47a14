//! The settings of each part, in its own types.

use std::time::Duration;

use super::resolved::Settings;
use super::written::{LoggedAs, Redis, Sentinel};
use crate::logged_name::LoggedNames;
use crate::login::script::ScriptLimits;
use crate::registry::resources::ResourceSettings;
use crate::secret::Secret;
use crate::store::StoreSettings;
use crate::store::settings::{RedisSettings, SentinelSettings};

/// Interval for reading the Secrets that resources name.
const SECRETS: Duration = Duration::from_secs(30);
/// Interval for updating the figures in the status of resources.
const STATUS: Duration = Duration::from_secs(30);

impl Settings {
    /// Where state lives, for the store.
    pub fn store_settings(&self) -> StoreSettings {
        StoreSettings { path: self.store.path.clone(), redis: self.store.redis.as_ref().map(redis) }
    }

    /// How custom resources are read, where they are.
    pub fn resource_settings(&self) -> Option<ResourceSettings> {
        self.kubernetes.enabled.then(|| ResourceSettings {
            scoped: self.kubernetes.scoped,
            namespace: self.kubernetes.namespace.clone(),
            kubeconfig: None,
            secrets_every: SECRETS,
            status_every: STATUS,
        })
    }

    /// How user names that led to no sign-in are logged; `None` if there is no secret for digests.
    pub fn logged_names(&self) -> Option<LoggedNames> {
        match self.user_names {
            LoggedAs::Clear => Some(LoggedNames::Clear),
            LoggedAs::Digest => {
                self.digest_secrets().next().map(|secret| LoggedNames::digested(secret.expose().as_bytes()))
            }
        }
    }

    /// The secrets that digests are made with: the first is in use, the others were.
    pub fn digest_secrets(&self) -> impl Iterator<Item = &Secret> {
        self.signing.seal_secrets.iter().chain(&self.signing.hs256_secret)
    }

    /// What login scripts may cost.
    pub fn script_limits(&self) -> ScriptLimits {
        let mut limits = ScriptLimits { timeout: self.script_timeout, ..ScriptLimits::default() };
        limits.backends = self.backends.clone();
        limits.memory = self.script_memory.unwrap_or(limits.memory);
        limits.program = self.script_program.clone().unwrap_or(limits.program);
        limits
    }
}

fn redis(written: &Redis) -> RedisSettings {
    let default = RedisSettings::default();
    RedisSettings {
        url: written.url.clone(),
        host: written.host.clone().unwrap_or(default.host),
        port: written.port,
        username: written.username.clone(),
        password: written.password.clone(),
        db: written.db,
        tls: written.tls,
        ca_file: written.ca_file.clone(),
        sentinel: (!written.sentinel.hosts.is_empty()).then(|| sentinel(&written.sentinel)),
        cluster_hosts: written.cluster_hosts.clone(),
        response_timeout_ms: default.response_timeout_ms,
        prefix: default.prefix,
    }
}

fn sentinel(written: &Sentinel) -> SentinelSettings {
    SentinelSettings {
        hosts: written.hosts.clone(),
        master: written.master.clone().unwrap_or_default(),
        username: written.username.clone(),
        password: written.password.clone(),
    }
}
