//! What is said about settings that contradict each other or the tenants, and the report of `uitsmijter check`.

use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::registry::document::{Document, Kind};
use uitsmijter::registry::{Severity, Snapshot};
use uitsmijter::settings::report::Report;

use super::{SECRET, defaults, environment};

#[test]
fn production_demands_a_store_and_a_tenant_and_says_where_to_write_them() {
    let error = environment(&[("ENVIRONMENT", "production")]).unwrap_err().to_string();
    assert!(
        error.contains("set STORE_PATH to a file on a persistent volume") && error.contains("REDIS_HOST"),
        "{error}"
    );
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
fn a_secret_that_can_be_guessed_seals_nothing_in_production_and_may_still_open() {
    let production = |secret: &str| {
        environment(&[("ENVIRONMENT", "production"), ("REDIS_HOST", "redis"), ("SIGNING_KEY_SECRET", secret)])
    };
    let long = "x".repeat(32);
    for weak in ["a", &"x".repeat(31), &format!("short,{long}")] {
        let error = production(weak).unwrap_err().to_string();
        assert!(error.contains("SIGNING_KEY_SECRET has") && error.contains("openssl rand -base64 48"), "{error}");
        assert!(error.contains("SIGNING_KEY_SECRET=new,present") && !error.contains("short"), "{error}");
        let development = environment(&[("SIGNING_KEY_SECRET", weak)]).unwrap();
        assert!(development.notices().iter().any(|notice| notice.contains("at least 32")), "{weak}");
    }
    for fine in [long.clone(), format!("{long},short")] {
        let settings = production(&fine).unwrap();
        assert!(!settings.notices().iter().any(|notice| notice.contains("SIGNING_KEY_SECRET")), "{fine}");
    }
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
    let text = "name: one\nconfig:\n  hosts: [login.example.com, '*.egg.example.com']\n  providers: class UserLoginProvider {}\n---\nname: two\nconfig:\n  hosts: [two.example, id.two.example]\n  issuer: https://id.two.example\n  jwt_algorithm: HS256\n  providers: class UserLoginProvider {}\n---\nkind: Client\nname: app\nconfig: {ident: app-id, tenant: one, secret: hidden-and-long-enough-to-be-a-secret, redirect_uri: 'https://app.example.com/.*'}\n";
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
    let doubtful = |problem: &&uitsmijter::registry::Problem| problem.severity == Severity::Warning;
    assert_eq!(report.problems.iter().filter(doubtful).count(), 1);
    let strict = report.strictly();
    assert_eq!(strict.problems.iter().filter(doubtful).count(), 0);
    assert!(strict.to_string().contains("errors: 2, warnings: 0"), "{strict}");
}

#[test]
fn a_report_with_nothing_but_a_warning_is_good_unless_it_has_to_be_strict() {
    let report = |tenant: &str| {
        let documents = Document::split("t.yaml", Some(Kind::Tenant), tenant);
        let (snapshot, problems) = Snapshot::build(&documents, None, &|_| Ok(()));
        Report::new(&environment(&[]).unwrap(), &snapshot, &problems)
    };
    let doubtful =
        "name: one\nconfig:\n  hosts: [one.example]\n  colour: red\n  providers: class UserLoginProvider {}\n";
    assert!(report(doubtful).ok && !report(doubtful).strictly().ok);
    assert!(report(&doubtful.replace("  colour: red\n", "")).strictly().ok);
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
        ["warning: settings: tenant t: its login script has no UserValidationProvider, so no token is refreshed, and \
          whoever is removed stays signed in until the session expires (ALLOW_MISSING_PROVIDERS is false)"]
    );
    assert!(warnings(login, "true").is_empty());
    assert!(warnings(&format!("{login}', 'class UserValidationProvider {{}}"), "false").is_empty());
}

#[test]
fn a_plain_issuer_contradicts_secure_unless_it_is_on_this_machine() {
    let conflicts = |issuer: &str, secure: &str| {
        let hosts = "[login.example.com, localhost, 127.0.0.1]";
        let tenant = format!("name: t\nconfig:\n  hosts: {hosts}\n  issuer: {issuer}\n");
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
