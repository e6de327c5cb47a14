//! The environment variables that operators use. Their names are API.

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::resolve::{SCRIPT_MEMORY, endpoint, network};
use super::written::{ClaimConflicts, Environment, LogFormat, LogLevel, LoggedAs, Written};
use crate::outgoing::reach::Listed;
use crate::protocol::duration::{self, Span};
use crate::protocol::jwk::Algorithm;
use crate::secret::Secret;

type Set = fn(&mut Written, &str) -> Result<(), String>;

/// Every variable that is read, except `UITSMIJTER_CONFIG`, which names the file.
pub fn variables() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().map(|(name, _)| *name)
}

const VARIABLES: &[(&str, Set)] = &[
    ("ENVIRONMENT", |w, v| {
        one_of(
            v,
            &[("development", Environment::Development), ("production", Environment::Production)],
            &mut w.environment,
        )
    }),
    ("LISTEN", |w, v| parsed(v, ADDRESS).map(|address| w.listen = Some(address))),
    ("METRICS_LISTEN", |w, v| parsed(v, ADDRESS).map(|address| w.metrics_listen = Some(address))),
    ("TLS_CERT_FILE", |w, v| put(&mut w.tls.cert_file, v.into())),
    ("TLS_KEY_FILE", |w, v| put(&mut w.tls.key_file, v.into())),
    ("PUBLIC_DOMAIN", |w, v| put(&mut w.public_domain, v.into())),
    ("SECURE", |w, v| flag(v).map(|on| w.secure = Some(on))),
    ("TOKEN_EXPIRATION_IN_HOURS", |w, v| number(v).map(|hours| w.lifetimes.access_token_hours = hours)),
    ("TOKEN_REFRESH_ABSOLUTE_EXPIRATION_IN_HOURS", |w, v| {
        number(v).map(|hours| w.lifetimes.refresh_absolute_hours = Some(hours))
    }),
    ("TOKEN_REFRESH_EXPIRATION_IN_HOURS", |w, v| number(v).map(|hours| w.lifetimes.refresh_token_hours = hours)),
    ("COOKIE_EXPIRATION_IN_DAYS", |w, v| number(v).map(|days| w.lifetimes.session_days = days)),
    ("CONFIRM_NATIVE", |w, v| flag(v).map(|on| w.confirm_native = on)),
    ("SESSIONS_PER_PERSON", |w, v| parsed(v, "a number like 100").map(|most| w.sessions_per_person = most)),
    ("COOKIE_DOMAINS", |w, v| {
        let domains: BTreeMap<String, String> = serde_json::from_str(v).map_err(|_| {
            "a JSON object of hosts and cookie domains, like {\"login.example.com\": \".example.com\"}".to_owned()
        })?;
        w.cookie_domains = domains;
        Ok(())
    }),
    ("DIRECTORY", |w, v| {
        w.directory = v.into();
        Ok(())
    }),
    ("CLAIMS", |w, v| one_of(v, &[("warn", ClaimConflicts::Warn), ("refuse", ClaimConflicts::Refuse)], &mut w.claims)),
    ("SUPPORT_KUBERNETES_CRD", |w, v| flag(v).map(|on| w.kubernetes.enabled = on)),
    ("SCOPED_KUBERNETES_CRD", |w, v| flag(v).map(|on| w.kubernetes.scoped = on)),
    ("UITSMIJTER_NAMESPACE", |w, v| put(&mut w.kubernetes.namespace, v.into())),
    ("WEBHOOK_LISTEN", |w, v| parsed(v, ADDRESS).map(|address| w.kubernetes.webhook.listen = Some(address))),
    ("WEBHOOK_CERT_FILE", |w, v| put(&mut w.kubernetes.webhook.cert_file, v.into())),
    ("WEBHOOK_KEY_FILE", |w, v| put(&mut w.kubernetes.webhook.key_file, v.into())),
    ("SCRIPT_TIMEOUT", |w, v| {
        duration::parse(v).map(|span| w.script.timeout = Span(span)).map_err(|_| "seconds, like 30".into())
    }),
    ("SCRIPT_MEMORY", |w, v| {
        let megabytes = v.parse().ok().filter(|megabytes| SCRIPT_MEMORY.contains(megabytes));
        w.script.memory = Some(megabytes.ok_or_else(|| format!("megabytes, at least {}", SCRIPT_MEMORY.start()))?);
        Ok(())
    }),
    ("TEMPLATES_REFRESH", |w, v| span(v, &mut w.templates.refresh)),
    ("ALLOW_MISSING_PROVIDERS", |w, v| flag(v).map(|on| w.allow_missing_providers = Some(on))),
    ("MAY_STAY_EVERY_MINUTES", |w, v| parsed(v, MINUTES).map(|minutes| w.may_stay.every_minutes = minutes)),
    ("MAY_STAY_STALE_MINUTES", |w, v| parsed(v, MINUTES).map(|minutes| w.may_stay.stale_minutes = minutes)),
    ("DISPLAY_VERSION", |w, v| flag(v).map(|on| w.display_version = on)),
    ("LOGIN_PROTECTION", |w, v| flag(v).map(|on| w.login_protection.enabled = on)),
    ("OPENAPI", |w, v| flag(v).map(|on| w.openapi = Some(on))),
    ("LOG_LEVEL", |w, v| one_of(v, &LEVELS, &mut w.log.level)),
    ("LOG_FORMAT", |w, v| {
        one_of(v, &[("console", LogFormat::Console), ("ndjson", LogFormat::Ndjson)], &mut w.log.format)
    }),
    ("LOG_USER_NAMES", |w, v| {
        one_of(v, &[("digest", LoggedAs::Digest), ("clear", LoggedAs::Clear)], &mut w.audit.user_names)
    }),
    // The rest of OTEL_* is read by the SDK of OpenTelemetry.
    ("OTEL_EXPORTER_OTLP_ENDPOINT", |w, v| collector(v, &mut w.telemetry.endpoint)),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", |w, v| collector(v, &mut w.telemetry.traces_endpoint)),
    ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", |w, v| collector(v, &mut w.telemetry.logs_endpoint)),
    ("MAX_CONNECTIONS", |w, v| {
        let most = parsed(v, "a number of connections above 0, like 4096")?;
        put(&mut w.connections.most, most)
    }),
    ("KEEP_ALIVE", |w, v| span(v, &mut w.connections.idle)),
    ("TRUSTED_PROXIES", |w, v| {
        let ranges = if v.eq_ignore_ascii_case("none") { Vec::new() } else { words(v) };
        if ranges.iter().any(|range| network(range).is_err()) {
            return Err("ranges of addresses with commas between them, like 10.0.0.0/8,::1, or none".into());
        }
        put(&mut w.trusted_proxies, ranges)
    }),
    ("ALLOW_PRIVATE_ADDRESSES", |w, v| flag(v).map(|on| w.outgoing.allow_private_addresses = Some(on))),
    ("OUTGOING_PRIVATE", |w, v| {
        let listed = if v.eq_ignore_ascii_case("none") { Vec::new() } else { words(v) };
        if listed.iter().any(|entry| Listed::parse(entry).is_err()) {
            return Err("networks and hosts with commas between them, like 10.1.0.0/16,users.internal, or none".into());
        }
        w.outgoing.private = Some(listed);
        Ok(())
    }),
    ("STORE_PATH", |w, v| put(&mut w.store.path, v.into())),
    ("REDIS_URL", |w, v| {
        if !v.starts_with("redis://") && !v.starts_with("rediss://") {
            return Err("a URL that begins with redis:// or rediss://".into());
        }
        put(&mut w.store.redis.url, Secret::new(v))
    }),
    ("REDIS_HOST", |w, v| put(&mut w.store.redis.host, v.into())),
    // A Kubernetes service called `redis` puts its own `tcp://address:port` under this name.
    ("REDIS_PORT", |w, v| {
        if v.starts_with("tcp://") {
            return Ok(());
        }
        parsed(v, "a port like 6379").map(|port| w.store.redis.port = port)
    }),
    ("REDIS_USERNAME", |w, v| put(&mut w.store.redis.username, v.into())),
    ("REDIS_PASSWORD", |w, v| put(&mut w.store.redis.password, Secret::new(v))),
    ("REDIS_DB", |w, v| parsed(v, "the number of a database, like 0").map(|db| w.store.redis.db = db)),
    ("REDIS_TLS", |w, v| flag(v).map(|on| w.store.redis.tls = on)),
    ("REDIS_SENTINEL_HOSTS", |w, v| {
        w.store.redis.sentinel.hosts = words(v);
        Ok(())
    }),
    ("REDIS_SENTINEL_MASTER", |w, v| put(&mut w.store.redis.sentinel.master, v.into())),
    ("REDIS_CLUSTER_HOSTS", |w, v| {
        w.store.redis.cluster_hosts = words(v);
        Ok(())
    }),
    ("JWT_ALGORITHM", |w, v| {
        v.parse::<Algorithm>().map_err(|_| "RS256, PS256, ES256, EdDSA or HS256".to_owned())?;
        put(&mut w.signing.algorithm, v.into())
    }),
    ("JWT_SECRET", |w, v| put(&mut w.signing.hs256_secret, Secret::new(v))),
    ("SIGNING_KEY_SECRET", |w, v| {
        // Only commas separate: a secret may contain blanks.
        w.signing.seal_secrets =
            v.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(Secret::new).collect();
        Ok(())
    }),
];

const ADDRESS: &str = "an address and a port, like 127.0.0.1:8080 or [::]:8080";

const MINUTES: &str = "a number of minutes, like 5";

const LEVELS: [(&str, LogLevel); 8] = [
    ("trace", LogLevel::Trace),
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("notice", LogLevel::Notice),
    ("warning", LogLevel::Warning),
    ("warn", LogLevel::Warning),
    ("error", LogLevel::Error),
    ("critical", LogLevel::Critical),
];

/// Every variable that is set replaces what is written. An empty one counts as absent.
///
/// Errors: one line per variable that cannot be read, with what is expected; never a value, which may be a secret.
pub(super) fn overlay(written: &mut Written, environment: &dyn Fn(&str) -> Option<String>) -> Result<()> {
    let mut wrong = Vec::new();
    for (name, set) in VARIABLES {
        let Some(value) = environment(name) else { continue };
        if value.trim().is_empty() {
            continue;
        }
        // A secret that is shared with other programs keeps the white space at its ends.
        let is_secret = matches!(*name, "JWT_SECRET" | "REDIS_PASSWORD");
        let value = if is_secret { &value } else { value.trim() };
        if let Err(expected) = set(written, value) {
            wrong.push(format!("the environment variable {name} cannot be read; expected {expected}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
}

fn put<T>(place: &mut Option<T>, value: T) -> Result<(), String> {
    *place = Some(value);
    Ok(())
}

fn collector(value: &str, place: &mut Option<String>) -> Result<(), String> {
    endpoint(value).map_err(|_| "a URL without name and password, like http://collector:4318".to_owned())?;
    put(place, value.into())
}

fn parsed<T: FromStr>(value: &str, expected: &str) -> Result<T, String> {
    value.parse().map_err(|_| expected.to_owned())
}

fn span(value: &str, place: &mut Span) -> Result<(), String> {
    *place = duration::parse(value).map(Span).map_err(|_| "a span of time like 60s or 5m".to_owned())?;
    Ok(())
}

fn number(value: &str) -> Result<f64, String> {
    // Its range is checked together with the settings of the file.
    duration::scaled(value, 3600).map_err(|_| "a number above 0".to_owned())?;
    parsed(value, "a number above 0")
}

fn flag(value: &str) -> Result<bool, String> {
    let mut on = false;
    one_of(
        value,
        &[("true", true), ("1", true), ("yes", true), ("false", false), ("0", false), ("no", false)],
        &mut on,
    )?;
    Ok(on)
}

fn one_of<T: Copy>(value: &str, words: &[(&str, T)], place: &mut T) -> Result<(), String> {
    match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(value)) {
        Some((_, meant)) => {
            *place = *meant;
            Ok(())
        }
        None => Err(words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")),
    }
}

/// A list with commas or white space between its entries.
fn words(value: &str) -> Vec<String> {
    let parts = value.split(|c: char| c == ',' || c.is_whitespace());
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
