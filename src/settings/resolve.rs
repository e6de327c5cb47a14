//! From written settings to resolved ones: unknown keys, defaults that depend on other settings, words that become values.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use url::Url;
use yaml_serde::Value as Yaml;

use super::defaults::PRIVATE;
use super::resolved::{Connections, Settings, Store, Tls, Webhook};
use super::written::{
    Environment, KeyScope, Kubernetes, Redis, Written, WrittenLoginProtection, WrittenMayStay, WrittenSigning,
    WrittenStore, WrittenTelemetry,
};
use crate::issuer::Lifetimes;
use crate::key::{RotationPolicy, SigningSettings};
use crate::login::people::StayPolicy;
use crate::login::script::LEAST_MEMORY;
use crate::login::throttle::ThrottlePolicy;
use crate::outgoing::backends::Backends;
use crate::outgoing::reach::Listed;
use crate::protocol::duration;
use crate::protocol::jwk::Algorithm;
use crate::registry::spelling;
use crate::telemetry::Collectors;

impl Redis {
    fn is_there(&self) -> bool {
        self.url.is_some() || self.host.is_some() || !self.sentinel.hosts.is_empty() || !self.cluster_hosts.is_empty()
    }
}

impl Written {
    /// Reads a configuration file.
    ///
    /// Errors: what cannot be read, or unknown keys, each with the nearest known one.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Yaml = yaml_serde::from_str(text).context("it is not YAML")?;
        if value.is_null() {
            return Ok(Self::default());
        }
        let known = yaml_serde::to_value(Self::default())?;
        let mut unknown = Vec::new();
        collect_unknown(&value, &known, "", &mut unknown);
        if !unknown.is_empty() {
            bail!(unknown.join("\n"));
        }
        yaml_serde::from_str(text).context("a setting cannot be read")
    }

    /// Every key of the file with dots between the levels, as `log.level`.
    pub fn keys() -> Vec<String> {
        let mut keys = Vec::new();
        if let Ok(known) = yaml_serde::to_value(Self::default()) {
            collect_keys(&known, "", &mut keys);
        }
        keys
    }

    /// Fills in what depends on other settings, and turns words into values.
    pub(super) fn resolve(self) -> Result<Settings> {
        let production = self.environment == Environment::Production;
        let usual_host = if production { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let listen = self.listen.unwrap_or(SocketAddr::new(IpAddr::V4(usual_host), 8080));
        let tls = match (self.tls.cert_file, self.tls.key_file) {
            (Some(cert_file), Some(key_file)) => Some(Tls { cert_file, key_file }),
            (None, None) => None,
            (Some(_), None) => bail!("TLS_CERT_FILE is set, but TLS_KEY_FILE is missing; TLS needs both"),
            (None, Some(_)) => bail!("TLS_KEY_FILE is set, but TLS_CERT_FILE is missing; TLS needs both"),
        };
        let units = |key: &str, number: f64, unit: u32| {
            duration::scaled(&number.to_string(), unit).map_err(|error| anyhow::anyhow!("lifetimes.{key}: {error}"))
        };
        let lifetimes = Lifetimes {
            access_token: units("access_token_hours", self.lifetimes.access_token_hours, 3600)?,
            refresh_token: units("refresh_token_hours", self.lifetimes.refresh_token_hours, 3600)?,
            refresh_absolute: match self.lifetimes.refresh_absolute_hours {
                Some(hours) => Some(units("refresh_absolute_hours", hours, 3600)?),
                None => None,
            },
            session: units("session_days", self.lifetimes.session_days, 86_400)?,
        };
        let backends = backends(self.outgoing.private, own_namespace(&self.kubernetes).as_deref())?;
        Ok(Settings {
            listen,
            metrics_listen: self.metrics_listen,
            secure: self.secure.unwrap_or(production || tls.is_some()),
            tls,
            production,
            public_domain: match self.public_domain.filter(|domain| !domain.is_empty()) {
                Some(domain) => checked_domain(domain)?,
                None => format!("localhost:{}", listen.port()),
            },
            lifetimes,
            sessions_per_person: self.sessions_per_person.max(1),
            confirm_native: self.confirm_native,
            cookie_domains: self
                .cookie_domains
                .into_iter()
                .map(|(host, domain)| (host.to_ascii_lowercase(), domain.trim_start_matches('*').to_ascii_lowercase()))
                .collect(),
            directory: self.directory,
            claims: self.claims,
            webhook: webhook(&self.kubernetes)?,
            kubernetes: self.kubernetes,
            script_timeout: self.script.timeout.0,
            script_memory: script_memory(self.script.memory)?,
            script_program: None,
            templates_refresh: self.templates.refresh.0,
            allow_missing_providers: self.allow_missing_providers.unwrap_or(!production),
            may_stay: self.may_stay.resolve(),
            display_version: self.display_version,
            openapi: self.openapi.unwrap_or(!production),
            log: self.log,
            user_names: self.audit.user_names,
            telemetry: self.telemetry.resolve()?,
            allow_private_addresses: self.outgoing.allow_private_addresses.unwrap_or(!production),
            backends,
            login_protection: self.login_protection.resolve(),
            connections: Connections {
                most: self.connections.most,
                per_address: self.connections.per_address,
                first_byte: self.connections.first_byte.0,
                idle: self.connections.idle.0,
            },
            proxies_are_declared: self.trusted_proxies.is_some(),
            trusted_proxies: match self.trusted_proxies {
                Some(declared) => declared.iter().map(|range| network(range)).collect::<Result<_>>()?,
                None if production => Vec::new(),
                None => PRIVATE.iter().map(|range| network(range)).collect::<Result<_>>()?,
            },
            store: self.store.resolve()?,
            algorithm_is_named: self.signing.algorithm.as_ref().is_some_and(|name| !name.is_empty()),
            signing: self.signing.resolve()?,
        })
    }
}

/// The operator's namespace, where tenants may be those of others: as it is set, or as the cluster says.
fn own_namespace(kubernetes: &Kubernetes) -> Option<String> {
    let told = || std::fs::read_to_string("/var/run/secrets/kubernetes.io/serviceaccount/namespace").ok();
    let named = || kubernetes.namespace.clone().or_else(told).unwrap_or_else(|| "default".to_owned());
    kubernetes.enabled.then(named)
}

/// What tenants may reach.
fn backends(private: Option<Vec<String>>, own_namespace: Option<&str>) -> Result<Backends> {
    let listed = private.map(|entries| entries.iter().map(|entry| Listed::parse(entry)).collect());
    let listed: Option<Vec<Listed>> = listed
        .transpose()
        .map_err(|reason: String| anyhow::anyhow!("OUTGOING_PRIVATE (outgoing.private): {reason}"))?;
    Ok(Backends::new(listed, own_namespace))
}

/// With less, no script could run; nobody means more. In MiB.
pub(super) const SCRIPT_MEMORY: RangeInclusive<u64> = LEAST_MEMORY >> 20..=1 << 20;

/// Mebibytes as bytes.
fn script_memory(megabytes: Option<u64>) -> Result<Option<u64>> {
    let Some(megabytes) = megabytes else { return Ok(None) };
    ensure!(
        SCRIPT_MEMORY.contains(&megabytes),
        "SCRIPT_MEMORY (script.memory) is in megabytes, at least {}",
        SCRIPT_MEMORY.start()
    );
    Ok(Some(megabytes << 20))
}

impl WrittenLoginProtection {
    fn resolve(self) -> ThrottlePolicy {
        ThrottlePolicy {
            enabled: self.enabled,
            free_attempts: self.free_attempts.max(1),
            free_attempts_per_address: self.free_attempts_per_address.max(1),
            longest_delay: self.longest_delay.0,
        }
    }
}

impl WrittenMayStay {
    fn resolve(self) -> StayPolicy {
        let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
        let (every, stale) = (minutes(self.every_minutes), minutes(self.stale_minutes));
        StayPolicy { every, stale, ..StayPolicy::default() }
    }
}

impl WrittenTelemetry {
    /// An address for all signals gets the path of each appended; a signal's own address is used as it is.
    fn resolve(self) -> Result<Collectors> {
        let place = |own: Option<String>, name: &str, signal: &str| -> Result<Option<Url>> {
            let base = self.endpoint.as_ref().filter(|base| !base.is_empty());
            let text = own.filter(|own| !own.is_empty());
            let text = text.or(base.map(|base| format!("{}/v1/{signal}", base.trim_end_matches('/'))));
            text.map(|text| endpoint(&text).with_context(|| format!("telemetry.{name}"))).transpose()
        };
        Ok(Collectors {
            traces: place(self.traces_endpoint.clone(), "traces_endpoint", "traces")?,
            logs: place(self.logs_endpoint.clone(), "logs_endpoint", "logs")?,
        })
    }
}

impl WrittenStore {
    fn resolve(self) -> Result<Store> {
        let redis = self.redis.is_there().then_some(self.redis);
        if redis.as_ref().is_some_and(|redis| !redis.sentinel.hosts.is_empty() && redis.sentinel.master.is_none()) {
            bail!("REDIS_SENTINEL_HOSTS is set, but REDIS_SENTINEL_MASTER is missing; write the name of the master");
        }
        Ok(Store { path: self.path.filter(|path| !path.as_os_str().is_empty()), redis })
    }
}

impl WrittenSigning {
    fn resolve(self) -> Result<SigningSettings> {
        let named = self.algorithm.filter(|name| !name.is_empty());
        let hs256_secret = self.hs256_secret.filter(|secret| !secret.expose().is_empty());
        // A secret without an algorithm is an installation that shares it with its resource servers: go on as before.
        let usual = if hs256_secret.is_some() { Algorithm::HS256 } else { Algorithm::RS256 };
        Ok(SigningSettings {
            algorithm: match named {
                Some(name) => {
                    name.parse().map_err(|error| anyhow::anyhow!("JWT_ALGORITHM (signing.algorithm): {error}"))?
                }
                None => usual,
            },
            policy: RotationPolicy {
                rotate_every: self.rotate_every.0,
                announce: self.announce.0,
                grace: self.grace.0,
                jwks_max_age: self.jwks_max_age.0,
            },
            shared: self.scope == KeyScope::Shared,
            rsa_bits: self.rsa_bits,
            hs256_secret,
            seal_secrets: self.seal_secrets.into_iter().filter(|secret| !secret.expose().is_empty()).collect(),
        })
    }
}

fn webhook(written: &Kubernetes) -> Result<Option<Webhook>> {
    let Some(listen) = written.webhook.listen else { return Ok(None) };
    if !written.enabled {
        bail!("a webhook is asked for (--webhook or WEBHOOK_LISTEN), but SUPPORT_KUBERNETES_CRD is not true");
    }
    match (written.webhook.cert_file.clone(), written.webhook.key_file.clone()) {
        (Some(cert_file), Some(key_file)) => Ok(Some(Webhook { listen, tls: Tls { cert_file, key_file } })),
        _ => bail!("a webhook speaks TLS alone; set WEBHOOK_CERT_FILE and WEBHOOK_KEY_FILE"),
    }
}

/// The address of a collector. It is shown by `check`, so it may not carry a password.
pub(super) fn endpoint(text: &str) -> Result<Url> {
    let url = Url::parse(text).context("it is not a URL")?;
    ensure!(matches!(url.scheme(), "http" | "https") && url.has_host(), "it must begin with http:// or https://");
    ensure!(
        url.username().is_empty() && url.password().is_none(),
        "it must not carry a name or password; OTEL_EXPORTER_OTLP_HEADERS is for those"
    );
    Ok(url)
}

/// A range of addresses, or one address.
pub(super) fn network(text: &str) -> Result<IpNet> {
    let range = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    range.with_context(|| {
        format!("TRUSTED_PROXIES (trusted_proxies): {text:?} is not a range of addresses like 10.0.0.0/8")
    })
}

fn checked_domain(domain: String) -> Result<String> {
    let url = url::Url::parse(&format!("http://{domain}/")).ok();
    let plain = url.is_some_and(|url| {
        url.host_str().is_some() && url.path() == "/" && url.query().is_none() && url.username().is_empty()
    });
    if !plain || domain.contains('/') {
        bail!("PUBLIC_DOMAIN (public_domain): {domain:?} must be a host, perhaps with a port, like login.example.com");
    }
    Ok(domain.to_ascii_lowercase())
}

/// A mapping that is empty by default takes any key.
fn collect_unknown(value: &Yaml, known: &Yaml, path: &str, unknown: &mut Vec<String>) {
    let (Some(value), Some(known)) = (value.as_mapping(), known.as_mapping()) else { return };
    if known.is_empty() {
        return;
    }
    for (key, inner) in value {
        let name = key.as_str().unwrap_or("?");
        let place = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match known.get(name) {
            Some(known) => collect_unknown(inner, known, &place, unknown),
            None => {
                let hint = spelling::hint(known.keys().filter_map(Yaml::as_str), name);
                unknown.push(format!("{place} is not a setting{hint}"));
            }
        }
    }
}

fn collect_keys(known: &Yaml, path: &str, keys: &mut Vec<String>) {
    for (key, inner) in known.as_mapping().into_iter().flatten() {
        let name = key.as_str().unwrap_or_default();
        let place = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        collect_keys(inner, &place, keys);
        keys.push(place);
    }
}
