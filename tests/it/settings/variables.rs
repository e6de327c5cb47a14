//! Every environment variable has its effect, and a bad value its message.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use uitsmijter::outgoing::backends::Backends;
use uitsmijter::outgoing::reach::Listed;
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::settings::{ClaimConflicts, LogFormat, LogLevel, LoggedAs, Settings, variables};

use super::{SECRET, defaults, environment};

/// Variable, value, and what shows that it took effect.
type Effect = (&'static str, &'static str, fn(&Settings) -> bool);

const EFFECTS: &[Effect] = &[
    ("ENVIRONMENT", "Production", |s| s.production && s.secure && !s.allow_missing_providers),
    ("LISTEN", "[::1]:9000", |s| s.listen.port() == 9000 && s.public_domain == "localhost:9000"),
    ("METRICS_LISTEN", "0.0.0.0:9090", |s| s.metrics_listen.is_some()),
    ("TLS_CERT_FILE", "/tls.crt", |s| {
        s.tls.as_ref().is_some_and(|tls| tls.cert_file == Path::new("/tls.crt")) && s.secure
    }),
    ("TLS_KEY_FILE", "/tls.key", |s| s.tls.as_ref().is_some_and(|tls| tls.key_file == Path::new("/tls.key"))),
    ("PUBLIC_DOMAIN", "Login.example.com", |s| s.public_origin() == "http://login.example.com"),
    ("SECURE", "YES", |s| s.secure && s.public_origin() == "https://localhost:8080"),
    ("TOKEN_EXPIRATION_IN_HOURS", "0.5", |s| s.lifetimes.access_token == Duration::from_secs(1800)),
    ("TOKEN_REFRESH_ABSOLUTE_EXPIRATION_IN_HOURS", "2400", |s| {
        s.lifetimes.refresh_absolute == Some(Duration::from_secs(100 * 86_400))
    }),
    ("TOKEN_REFRESH_EXPIRATION_IN_HOURS", "24", |s| s.lifetimes.refresh_token == Duration::from_secs(86_400)),
    ("COOKIE_EXPIRATION_IN_DAYS", "1", |s| s.lifetimes.session == Duration::from_secs(86_400)),
    ("SESSIONS_PER_PERSON", "0", |s| s.sessions_per_person == 1),
    ("CONFIRM_NATIVE", "yes", |s| s.confirm_native),
    ("COOKIE_DOMAINS", r#"{"Login.example.com":"*.example.com"}"#, |s| {
        s.cookie_domain("login.example.com:443") == Some(".example.com") && s.cookie_domain("x").is_none()
    }),
    ("DIRECTORY", "/srv", |s| s.directory == Path::new("/srv")),
    ("SUPPORT_KUBERNETES_CRD", "1", |s| s.kubernetes.enabled),
    ("SCOPED_KUBERNETES_CRD", "true", |s| s.kubernetes.scoped),
    ("UITSMIJTER_NAMESPACE", "auth", |s| s.kubernetes.namespace.as_deref() == Some("auth")),
    ("WEBHOOK_LISTEN", "0.0.0.0:9443", |s| s.webhook.as_ref().is_some_and(|webhook| webhook.listen.port() == 9443)),
    ("WEBHOOK_CERT_FILE", "/hook.crt", |s| {
        s.webhook.as_ref().is_some_and(|webhook| webhook.tls.cert_file == Path::new("/hook.crt"))
    }),
    ("WEBHOOK_KEY_FILE", "/hook.key", |s| {
        s.webhook.as_ref().is_some_and(|webhook| webhook.tls.key_file == Path::new("/hook.key"))
    }),
    ("SCRIPT_TIMEOUT", "5", |s| s.script_timeout == Duration::from_secs(5)),
    ("SCRIPT_MEMORY", "192", |s| s.script_memory == Some(192 << 20)),
    ("TEMPLATES_REFRESH", "5m", |s| s.templates_refresh == Duration::from_secs(300)),
    ("CLAIMS", "refuse", |s| s.claims == ClaimConflicts::Refuse),
    ("ALLOW_MISSING_PROVIDERS", "no", |s| !s.allow_missing_providers),
    ("MAY_STAY_EVERY_MINUTES", "1", |s| s.may_stay.every == Duration::from_secs(60)),
    ("MAY_STAY_STALE_MINUTES", "0", |s| s.may_stay.stale == Duration::ZERO),
    ("DISPLAY_VERSION", "0", |s| !s.display_version),
    ("OPENAPI", "false", |s| !s.openapi),
    ("LOG_LEVEL", "CRITICAL", |s| s.log.level == LogLevel::Critical && s.log.level.tracing() == tracing::Level::ERROR),
    ("LOGIN_PROTECTION", "no", |s| !s.login_protection.enabled),
    ("LOG_USER_NAMES", "Clear", |s| s.user_names == LoggedAs::Clear),
    ("LOG_FORMAT", "ndjson", |s| s.log.format == LogFormat::Ndjson),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/base/", |s| {
        let urls = [&s.telemetry.traces, &s.telemetry.logs].map(|url| url.as_ref().map(|url| url.as_str()));
        urls == [Some("http://collector:4318/base/v1/traces"), Some("http://collector:4318/base/v1/logs")]
    }),
    ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.example/in", |s| {
        let logs = s.telemetry.logs.as_ref();
        logs.is_some_and(|url| url.as_str() == "https://logs.example/in") && s.telemetry.traces.is_none()
    }),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example/in", |s| {
        let traces = s.telemetry.traces.as_ref();
        traces.is_some_and(|url| url.as_str() == "https://traces.example/in") && s.telemetry.logs.is_none()
    }),
    ("MAX_CONNECTIONS", "100", |s| s.connections.most == Some(100)),
    ("KEEP_ALIVE", "620s", |s| s.connections.idle == Duration::from_secs(620)),
    ("TRUSTED_PROXIES", "192.0.2.0/24, ::1", |s| s.trusted_proxies.len() == 2),
    ("OUTGOING_PRIVATE", "10.1.0.0/16, users.internal", |s| {
        let listed = ["10.1.0.0/16", "users.internal"].map(|entry| Listed::parse(entry).unwrap());
        s.backends == Backends::new(Some(listed.to_vec()), None)
    }),
    ("ALLOW_PRIVATE_ADDRESSES", "false", |s| !s.allow_private_addresses),
    ("STORE_PATH", "/data/store.redb", |s| s.store.path.as_deref() == Some(Path::new("/data/store.redb"))),
    ("REDIS_URL", "rediss://u:hidden@r/1", |s| s.store.redis.as_ref().is_some_and(|redis| redis.url.is_some())),
    ("REDIS_HOST", "redis", |s| s.store.redis.as_ref().is_some_and(|redis| redis.host.as_deref() == Some("redis"))),
    ("REDIS_PORT", "6380", |s| s.store.redis.as_ref().is_some_and(|redis| redis.port == 6380)),
    ("REDIS_USERNAME", "me", |s| s.store.redis.as_ref().is_some_and(|redis| redis.username.as_deref() == Some("me"))),
    ("REDIS_PASSWORD", "hidden", |s| {
        s.store.redis.as_ref().is_some_and(|redis| redis.password.as_ref().unwrap().expose() == "hidden")
    }),
    ("REDIS_DB", "3", |s| s.store.redis.as_ref().is_some_and(|redis| redis.db == 3)),
    ("REDIS_TLS", "true", |s| s.store.redis.as_ref().is_some_and(|redis| redis.tls)),
    ("REDIS_SENTINEL_HOSTS", "a:26379, b", |s| {
        s.store.redis.as_ref().is_some_and(|redis| redis.sentinel.hosts == ["a:26379", "b"])
    }),
    ("REDIS_SENTINEL_MASTER", "mine", |s| {
        s.store.redis.as_ref().is_some_and(|redis| redis.sentinel.master.as_deref() == Some("mine"))
    }),
    ("REDIS_CLUSTER_HOSTS", "a:1 b:2", |s| {
        s.store.redis.as_ref().is_some_and(|redis| redis.cluster_hosts == ["a:1", "b:2"])
    }),
    ("JWT_ALGORITHM", "es256", |s| s.signing.algorithm == Algorithm::ES256),
    ("JWT_SECRET", SECRET, |s| s.signing.hs256_secret.as_ref().is_some_and(|secret| secret.expose() == SECRET)),
    ("SIGNING_KEY_SECRET", "a new one, old,", |s| {
        s.signing.seal_secrets.iter().map(|s| s.expose()).eq(["a new one", "old"])
    }),
];

/// The other variables that a variable needs.
fn companions(variable: &str) -> Vec<(&'static str, &'static str)> {
    match variable {
        "ENVIRONMENT" => vec![("STORE_PATH", "/data/store")],
        "TLS_CERT_FILE" => vec![("TLS_KEY_FILE", "/key")],
        "TLS_KEY_FILE" => vec![("TLS_CERT_FILE", "/cert")],
        "REDIS_SENTINEL_HOSTS" => vec![("REDIS_SENTINEL_MASTER", "m")],
        "REDIS_SENTINEL_MASTER" => vec![("REDIS_SENTINEL_HOSTS", "h")],
        name if name.starts_with("REDIS_") && name != "REDIS_HOST" => vec![("REDIS_HOST", "h")],
        "WEBHOOK_LISTEN" | "WEBHOOK_CERT_FILE" | "WEBHOOK_KEY_FILE" => {
            let all = [("WEBHOOK_LISTEN", "[::]:1"), ("WEBHOOK_CERT_FILE", "c"), ("WEBHOOK_KEY_FILE", "k")];
            let others = all.into_iter().filter(|(other, _)| *other != variable);
            others.chain([("SUPPORT_KUBERNETES_CRD", "true")]).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn every_variable_has_its_effect_and_counts_as_absent_when_empty() {
    let tested: BTreeSet<&str> = EFFECTS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(tested, variables().collect());
    for (name, value, effect) in EFFECTS {
        let mut set = companions(name);
        let without = environment(&set).ok();
        set.push((name, value));
        let settings = environment(&set).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert!(effect(&settings), "{name}={value} had no effect");
        assert!(!effect(&defaults()), "{name}: the default has the same effect");
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hidden") && !shown.contains(SECRET) && !shown.contains("older"), "{shown}");
        for empty in ["", "  "] {
            let mut emptied = companions(name);
            emptied.push((name, empty));
            assert_eq!(environment(&emptied).ok(), without, "{name}={empty:?}");
        }
    }
}

#[test]
fn a_bad_value_is_an_error_that_names_variable_and_expectation_but_never_the_value() {
    for (name, value, expected) in [
        ("ENVIRONMENT", "prod", "development, production"),
        ("LISTEN", "8080", "an address and a port"),
        ("METRICS_LISTEN", "localhost", "an address and a port"),
        ("SECURE", "maybe", "true, 1, yes, false, 0, no"),
        ("TOKEN_EXPIRATION_IN_HOURS", "two", "a number above 0"),
        ("TOKEN_REFRESH_EXPIRATION_IN_HOURS", "0", "a number above 0"),
        ("COOKIE_EXPIRATION_IN_DAYS", "-3", "a number above 0"),
        ("COOKIE_DOMAINS", "example.com", "a JSON object"),
        ("SUPPORT_KUBERNETES_CRD", "enabled", "true, 1, yes"),
        ("SCRIPT_TIMEOUT", "soon", "seconds, like 30"),
        ("SCRIPT_MEMORY", "much", "megabytes, at least 160"),
        ("SCRIPT_MEMORY", "159", "megabytes, at least 160"),
        ("TEMPLATES_REFRESH", "often", "a span of time like 60s or 5m"),
        ("LOG_LEVEL", "loud", "trace, debug, info, notice, warning, warn, error, critical"),
        ("LOG_FORMAT", "xml", "console, ndjson"),
        ("LOG_USER_NAMES", "hidden", "digest, clear"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "a URL without name and password"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://me:hidden@traces.example", "a URL without name and password"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "ftp://logs.example", "a URL without name and password"),
        ("MAX_CONNECTIONS", "many", "a number of connections"),
        ("KEEP_ALIVE", "always", "a span of time"),
        ("TRUSTED_PROXIES", "10.0.0.0/40", "ranges of addresses"),
        ("OUTGOING_PRIVATE", "10.0.0.0/40", "networks and hosts with commas"),
        ("REDIS_URL", "http://x", "begins with redis:// or rediss://"),
        ("REDIS_PORT", "70000", "a port like 6379"),
        ("REDIS_DB", "x", "the number of a database"),
        ("REDIS_TLS", "2", "true, 1, yes"),
        ("JWT_ALGORITHM", "none", "RS256, PS256, ES256, EdDSA or HS256"),
    ] {
        let error = environment(&[(name, value)]).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.starts_with(&format!("the environment variable {name} cannot be read; expected ")), "{error}");
        assert!(error.contains(expected), "{name}: {error}");
    }
    let error = environment(&[("SECURE", "x"), ("LOG_LEVEL", "y"), ("REDIS_URL", "hidden")]).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 3, "{error}");
    assert!(!error.contains("hidden"));
    // what Kubernetes injects for a service called redis
    let settings = environment(&[("REDIS_HOST", "redis"), ("REDIS_PORT", "tcp://10.0.0.1:6379")]).unwrap();
    assert_eq!(settings.store.redis.unwrap().port, 6379);
}

#[test]
fn changes_that_need_a_restart_are_named_and_the_log_level_needs_none() {
    let before = defaults();
    for (name, value, ..) in EFFECTS {
        let mut set = companions(name);
        let Ok(without) = environment(&set) else { continue };
        set.push((name, value));
        let needing = without.needing_restart(&environment(&set).unwrap());
        assert_eq!(needing.is_empty(), *name == "LOG_LEVEL", "{name}: {needing:?}");
    }
    assert_eq!(before.needing_restart(&environment(&[("LISTEN", "127.0.0.1:9")]).unwrap())[0], "listen");
    assert!(before.needing_restart(&defaults()).is_empty());
}
