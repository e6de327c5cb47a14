//! Defaults, the configuration file, the environment and flags: what each may say, and which one wins.

use std::path::Path;
use std::time::Duration;

use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::settings::{Flags, LogLevel, Settings, Written, variables};

use super::{defaults, load};

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
fn the_defaults_suit_a_developers_machine() {
    let settings = defaults();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.public_origin(), "http://localhost:8080");
    assert!(!settings.production && !settings.secure && settings.allow_missing_providers && settings.display_version);
    assert_eq!(settings.lifetimes.access_token, Duration::from_secs(2 * 3600));
    assert_eq!(settings.lifetimes.refresh_token, Duration::from_secs(720 * 3600));
    assert_eq!(settings.lifetimes.session, Duration::from_secs(7 * 86_400));
    assert_eq!(settings.script_timeout, Duration::from_secs(30));
    assert_eq!(settings.signing.algorithm, Algorithm::RS256);
    assert_eq!(settings.signing.policy.rotate_every, Duration::from_secs(90 * 86_400));
    assert!(
        settings.trusted_proxies.iter().any(|range| range.contains(&"10.1.2.3".parse::<std::net::IpAddr>().unwrap()))
    );
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
