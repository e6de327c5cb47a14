//! Settings: the order of their sources, every variable, and the messages about mistakes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::registry::Snapshot;
use uitsmijter::registry::document::{Document, Kind};
use uitsmijter::settings::report::Report;
use uitsmijter::settings::{Flags, LogFormat, LogLevel, Settings, Written, variables};

fn load(file: Option<&str>, environment: &[(&str, &str)], flags: &Flags) -> anyhow::Result<Settings> {
    let written = file.map(|text| {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    });
    let lookup = |name: &str| {
        let found = environment.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::load(written.as_ref().map(|file| file.path()), &lookup, flags)
}

fn environment(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
    load(None, variables, &Flags::default())
}

fn defaults() -> Settings {
    environment(&[]).unwrap()
}

const SECRET: &str = "an HS256 secret of more than 32 bytes";

#[test]
fn the_example_tells_every_setting_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(Written::parse(&text).unwrap(), Written::default());
    assert_eq!(Settings::load(Some(&path), &|_| None, &Flags::default()).unwrap(), defaults());

    let value: serde_json::Value = yaml_serde::from_str(&text).unwrap();
    for key in Written::keys() {
        let found = key.split('.').try_fold(&value, |value, part| value.get(part));
        assert!(found.is_some(), "config.example.yaml does not tell {key}");
    }
    for variable in variables() {
        assert!(text.contains(&format!(" {variable}")), "config.example.yaml does not tell {variable}");
    }
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.windows(2) {
        let is_key = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        assert!(!is_key(pair[1]) || pair[0].trim_start().starts_with('#'), "no sentence above {:?}", pair[1]);
    }
}

#[test]
fn without_a_word_it_is_a_server_for_a_desk() {
    let settings = defaults();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.public_origin(), "http://localhost:8080");
    assert!(!settings.production && !settings.secure && settings.allow_missing_providers && settings.display_version);
    assert_eq!(settings.lifetimes.access_token, Duration::from_secs(2 * 3600));
    assert_eq!(settings.lifetimes.refresh_token, Duration::from_secs(720 * 3600));
    assert_eq!(settings.lifetimes.session, Duration::from_secs(7 * 86_400));
    assert_eq!(settings.script_timeout, Duration::from_secs(30));
    assert_eq!(settings.signing.algorithm, Algorithm::RS256);
    assert_eq!(settings.signing.rotate_every, Duration::from_secs(90 * 86_400));
    assert!(
        settings.trusted_proxies.iter().any(|range| range.contains(&"10.1.2.3".parse::<std::net::IpAddr>().unwrap()))
    );
}

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
    ("TEMPLATES_REFRESH", "5m", |s| s.templates_refresh == Duration::from_secs(300)),
    ("ALLOW_MISSING_PROVIDERS", "no", |s| !s.allow_missing_providers),
    ("DISPLAY_VERSION", "0", |s| !s.display_version),
    ("OPENAPI", "false", |s| !s.openapi),
    ("LOG_LEVEL", "CRITICAL", |s| s.log.level == LogLevel::Critical && s.log.level.tracing() == tracing::Level::ERROR),
    ("LOGIN_PROTECTION", "no", |s| !s.login_protection.enabled),
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
    ("TRUSTED_PROXIES", "192.0.2.0/24, ::1", |s| s.trusted_proxies.len() == 2),
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
        ("TEMPLATES_REFRESH", "often", "a span of time like 60s or 5m"),
        ("LOG_LEVEL", "loud", "trace, debug, info, notice, warning, warn, error, critical"),
        ("LOG_FORMAT", "xml", "console, ndjson"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "a URL without name and password"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://me:hidden@traces.example", "a URL without name and password"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "ftp://logs.example", "a URL without name and password"),
        ("TRUSTED_PROXIES", "10.0.0.0/40", "ranges of addresses"),
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
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "listen: 127.0.0.1:1\ndirectory: /file\nstore:\n  path: /file.redb\nlog:\n  level: debug\n";
    let settings = load(Some(file), &[], &Flags::default()).unwrap();
    assert_eq!((settings.listen.port(), settings.log.level), (1, LogLevel::Debug));
    let set = [("LISTEN", "127.0.0.1:2"), ("DIRECTORY", "/environment"), ("LOG_LEVEL", "")];
    let settings = load(Some(file), &set, &Flags::default()).unwrap();
    assert_eq!((settings.listen.port(), settings.log.level), (2, LogLevel::Debug));
    assert_eq!(settings.directory, Path::new("/environment"));
    let flags = Flags {
        listen: Some("127.0.0.1:3".parse().unwrap()),
        directory: Some("/flag".into()),
        store_path: Some("/flag.redb".into()),
        webhook: false,
    };
    let settings = load(Some(file), &set, &flags).unwrap();
    assert_eq!(settings.listen.port(), 3);
    assert_eq!((settings.directory, settings.store.path), ("/flag".into(), Some("/flag.redb".into())));
}

#[test]
fn an_unknown_key_in_the_file_is_an_error_that_names_the_nearest() {
    for (file, expected) in [
        ("listn: 1", "listn is not a setting; did you mean \"listen\"?"),
        (
            "store:\n  redis:\n    sentinel:\n      host: [a]",
            "store.redis.sentinel.host is not a setting; did you mean \"hosts\"?",
        ),
        ("telemetry: {endpoint: 'http://me:hidden@collector'}", "telemetry.traces_endpoint: it must not carry a name"),
        ("signing: {rotate: 1d}", "signing.rotate is not a setting; did you mean \"rotate_every\"?"),
        ("colour: blue", "colour is not a setting"),
        ("log:\n  level: loud", "log.level: unknown variant `loud`"),
        ("listen: 8080", "listen: invalid socket address syntax at line 1"),
        ("signing: {grace: soon}", "signing.grace: \"soon\" is not a span of time"),
        ("templates: {refresh: 0}", "templates.refresh"),
        ("signing: {rsa_bits: 1024}", "write 2048, 3072 or 4096"),
        ("signing: {algorithm: none}", "\"none\" is not an algorithm"),
        ("lifetimes: {access_token_hours: 0}", "lifetimes.access_token_hours: \"0\" must be a number above 0"),
        ("public_domain: https://a.example/", "must be a host, perhaps with a port"),
        ("trusted_proxies: [x]", "is not a range of addresses"),
        ("a: [", "it is not YAML"),
        ("tls: {cert_file: /x}", "TLS_KEY_FILE is missing"),
        ("store: {redis: {sentinel: {hosts: [a]}}}", "REDIS_SENTINEL_MASTER is missing"),
    ] {
        let error = format!("{:#}", load(Some(file), &[], &Flags::default()).unwrap_err());
        assert!(error.contains(expected), "{file}\n{error}");
    }
    let error = Settings::load(Some(Path::new("/nowhere.yaml")), &|_| None, &Flags::default()).unwrap_err();
    assert!(error.to_string().contains("the configuration file /nowhere.yaml cannot be read"));
    let settings =
        load(Some("cookie_domains: {any.example: .example}\nstore:\nlog:\n"), &[], &Flags::default()).unwrap();
    assert_eq!(settings.cookie_domain("any.example"), Some(".example"));
    assert_eq!(load(Some("# nothing\n"), &[], &Flags::default()).unwrap(), defaults());
}

#[test]
fn production_demands_a_store_and_a_tenant_and_says_where_to_write_them() {
    let error = environment(&[("ENVIRONMENT", "production")]).unwrap_err().to_string();
    assert!(error.contains("set STORE_PATH to a file on a lasting volume") && error.contains("REDIS_HOST"), "{error}");
    let settings = environment(&[("ENVIRONMENT", "production"), ("REDIS_HOST", "redis")]).unwrap();
    assert_eq!(settings.listen.to_string(), "0.0.0.0:8080");
    let error = settings.check_tenants(&Snapshot::default()).unwrap_err().to_string();
    assert!(error.contains("./Resources/Configurations/Tenants/<name>.yaml"), "{error}");
    assert!(defaults().check_tenants(&Snapshot::default()).is_ok());
}

#[test]
fn a_shared_secret_goes_on_as_before_and_tells_the_way_out() {
    let settings = environment(&[("JWT_SECRET", SECRET)]).unwrap();
    assert_eq!(settings.signing.algorithm, Algorithm::HS256);
    assert!(settings.notices().iter().any(|notice| notice.contains("set JWT_ALGORITHM=RS256")));
    let settings = environment(&[("JWT_SECRET", SECRET), ("JWT_ALGORITHM", "RS256")]).unwrap();
    assert_eq!(settings.signing.algorithm, Algorithm::RS256);
    assert!(!settings.notices().iter().any(|notice| notice.contains("JWT_ALGORITHM")));

    let error = environment(&[("JWT_SECRET", "hidden but short")]).unwrap_err().to_string();
    assert!(error.contains("at least 32 (RFC 7518 §3.2)") && !error.contains("hidden"), "{error}");
    let error = environment(&[("JWT_ALGORITHM", "HS256")]).unwrap_err().to_string();
    assert!(error.contains("JWT_SECRET is missing"), "{error}");
}

#[test]
fn keys_that_end_before_sessions_do_are_mentioned() {
    let mentioned = |days: &str| {
        let settings = environment(&[("COOKIE_EXPIRATION_IN_DAYS", days)]).unwrap();
        settings.notices().iter().any(|notice| notice.contains("signing.grace is 7d"))
    };
    assert!(!mentioned("7"));
    assert!(mentioned("30"));
}

#[test]
fn the_report_tells_what_would_be_served() {
    let text = "name: one\nconfig:\n  hosts: [login.example.com, '*.egg.example.com']\n  providers: class UserLoginProvider {}\n---\nname: two\nconfig:\n  hosts: [two.example]\n  issuer: https://id.two.example\n  jwt_algorithm: HS256\n  providers: class UserLoginProvider {}\n---\nkind: Client\nname: app\nconfig: {ident: app-id, tenant: one, secret: hidden, redirect_uri: 'https://app.example.com/.*'}\n";
    let (snapshot, problems) = Snapshot::build(&Document::split("t.yaml", Some(Kind::Tenant), text), None, &|_| Ok(()));
    let settings =
        environment(&[("PUBLIC_DOMAIN", "login.example.com"), ("SECURE", "1"), ("REDIS_URL", "redis://:hidden@r")])
            .unwrap();
    let report = Report::new(&settings, &snapshot, &problems);
    assert!(!report.ok);
    let shown = report.to_string();
    for expected in [
        "https://login.example.com, https://*.egg.example.com",
        "https://id.two.example",
        "client app (with secret)",
        "app-id",
        "authorization_code, refresh_token",
        "rotate every   90d",
        "put a backslash before each dot",
        "tenant two: jwt_algorithm is HS256, but JWT_SECRET is missing",
        "tenants: 2, clients: 1, errors: 1, warnings: 1",
    ] {
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["tenants"][0]["clients"][0]["client_id"], "app-id");
    assert_eq!(json["problems"][1]["severity"], "error");
    assert!(!shown.contains("hidden") && !json.to_string().contains("hidden"));
}

#[test]
fn a_login_script_that_lets_nobody_stay_is_warned_of_where_that_is_forbidden() {
    let warnings = |providers: &str, allowed: &str| {
        let tenant = format!("name: t\nconfig:\n  hosts: [login.example.com]\n  providers: ['{providers}']\n");
        let registry = crate::harness::server::registry(&tenant);
        let settings = crate::harness::fixtures::settings(&[("ALLOW_MISSING_PROVIDERS", allowed)]);
        settings.conflicts(&registry.current()).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let login = "class UserLoginProvider {}";
    let told = warnings(login, "false");
    assert_eq!(
        told,
        [
            "warning: settings: tenant t: its login script has no UserValidationProvider, so no token is refreshed and nobody \
          stays (ALLOW_MISSING_PROVIDERS is false)"
        ]
    );
    assert!(warnings(login, "true").is_empty());
    assert!(warnings(&format!("{login}', 'class UserValidationProvider {{}}"), "false").is_empty());
}

#[test]
fn changes_that_need_a_restart_are_named_and_the_level_of_the_log_is_none() {
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

#[test]
fn a_plain_issuer_contradicts_secure_unless_it_is_on_this_machine() {
    let conflicts = |issuer: &str, secure: &str| {
        let tenant = format!("name: t\nconfig:\n  hosts: [login.example.com]\n  issuer: {issuer}\n");
        let registry = crate::harness::server::registry(&tenant);
        let found = crate::harness::fixtures::settings(&[("SECURE", secure)]).conflicts(&registry.current());
        found.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
    };
    let told = conflicts("http://login.example.com", "true");
    assert!(told.len() == 1 && told[0].contains("plain http"), "{told:?}");
    for (issuer, secure) in [
        ("https://login.example.com", "true"),
        ("http://localhost:8080", "true"),
        ("http://127.0.0.1", "true"),
        ("http://login.example.com", "false"),
    ] {
        assert_eq!(conflicts(issuer, secure), Vec::<String>::new(), "{issuer} {secure}");
    }
}
