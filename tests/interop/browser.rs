//! Chromium walks the login pages: with a single page application on oidc-client-ts, and through the demo.

use std::path::Path;

use serde_json::{Value, json};

use crate::configuration::{PASSWORD, SUBJECT, USERNAME, single_page_application, tenant};
use crate::server::Server;
use crate::spa::Place;
use crate::tool;

#[tokio::test]
async fn a_single_page_application_signs_in_shows_the_profile_and_signs_out() {
    let place = Place::reserve().await;
    let origin = place.origin.clone();
    let server = Server::start(&[tenant(), single_page_application(&origin)]).await;
    place.serve(&server.issuer());
    let findings = walk(
        "browser/spa-journey.js",
        json!({ "application": format!("{origin}/"), "username": USERNAME, "password": PASSWORD }),
    )
    .await;
    let login = format!("{}/login", server.issuer());

    let looks = findings.all("look");
    assert_eq!(looks.len(), 4);
    for look in &looks {
        assert!(look["overflow"].as_i64().is_some_and(|pixels| pixels <= 0), "the page sticks out to the side: {look}");
    }
    assert_ne!(looks[0]["background"], looks[2]["background"], "light and dark look the same");

    let spoken = findings.all("spoken");
    assert_eq!(spoken.len(), 2);
    assert_eq!((&spoken[0]["language"], &spoken[1]["language"]), (&json!("en"), &json!("de")));
    for name in ["username", "password", "button"] {
        assert_ne!(spoken[0][name], "", "{name} has no accessible name");
    }
    assert_ne!(spoken[0]["button"], spoken[1]["button"], "the German page is in English");

    findings.expect_url("login page", &login);
    assert_eq!(findings.one("login page")["focus"], "username");

    let refused = findings.one("wrong password");
    findings.expect_url("wrong password", &login);
    assert!(refused["text"].as_str().is_some_and(|text| !text.is_empty()), "{refused}");
    assert_eq!(refused["password"], "", "the password is filled in again");

    let first = findings.expect_signed_in("signed in", &server.issuer());
    assert_eq!(findings.one("signed in")["message"], "signed in");
    let renewed = findings.expect_signed_in("renewed", &server.issuer());
    assert_eq!(findings.one("renewed")["message"], "renewed");
    assert_ne!(first, renewed, "renewing gave the same token");
    findings.expect_signed_in("signed in again", &server.issuer());

    assert_eq!(findings.one("signed out")["message"], "signed out: goodbye");
    assert_eq!(findings.one("signed out")["url"], format!("{origin}/"));
    findings.expect_url("after signing out", &login);

    findings.expect_signed_in("signed in by popup", &server.issuer());
    assert_eq!(findings.one("signed in by popup")["message"], "signed in by popup");
    assert_eq!(findings.one("complaints"), &json!([]));
}

#[tokio::test]
async fn the_demo_leads_from_the_front_page_to_profile_and_token() {
    let server = Server::start_with_nothing().await;
    let log = server.log();
    let demo = Demo::read(&log);
    let findings = walk(
        "browser/demo-journey.js",
        json!({ "frontPage": demo.url, "username": demo.username, "password": demo.password }),
    )
    .await;

    for look in findings.all("look") {
        assert_eq!((&look["violations"], &look["overflow"]), (&json!([]), &json!(0)), "{look}");
    }
    let shown = findings.one("front page")["text"].as_str().unwrap_or_default();
    assert!(shown.contains(demo.password), "the front page does not name the password: {shown}");
    let found = findings.one("signed in");
    assert_eq!(found["error"], "", "{found}");
    assert_eq!(found["profile"]["sub"], found["claims"]["sub"], "{found}");
    assert_eq!(found["profile"]["preferred_username"], demo.username, "{found}");
    assert_eq!((&found["header"]["alg"], &found["header"]["typ"]), (&json!("RS256"), &json!("at+jwt")), "{found}");
    assert_eq!(found["claims"]["user"], demo.username, "{found}");
    assert_eq!(found["claims"]["iss"], demo.url.trim_end_matches('/'), "{found}");
    findings.expect_url("after signing out", &format!("{}/login", demo.url.trim_end_matches('/')));
    assert_eq!(findings.one("complaints"), &json!([]));
}

/// The few lines that a start without configuration prints for a person.
struct Demo<'a> {
    url: &'a str,
    username: &'a str,
    password: &'a str,
}

impl<'a> Demo<'a> {
    #[track_caller]
    fn read(log: &'a str) -> Self {
        let after = |label: &str| {
            let line = log.lines().find_map(|line| line.trim().strip_prefix(label)?.strip_prefix(' '));
            line.map(str::trim).unwrap_or_else(|| panic!("no line with {label:?} is printed"))
        };
        Self { url: after("open"), username: after("user"), password: after("password") }
    }
}

/// What a journey found, step by step.
pub(crate) struct Findings(Vec<Value>);

/// Runs `script` in Chromium with `input`, the path of the browser, and the folder for screenshots.
pub(crate) async fn walk(script: &str, mut input: Value) -> Findings {
    tool::expect_modules("browser");
    input["chromium"] = json!(tool::program("chromium"));
    input["screenshots"] = json!(Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts"));
    Findings(tool::run(&tool::program("node"), &[&tool::source(script)], &input).await)
}

impl Findings {
    /// Everything that was reported under this name.
    pub(crate) fn all(&self, step: &str) -> Vec<&Value> {
        self.0.iter().filter(|line| line["step"] == step).map(|line| &line["finding"]).collect()
    }

    /// What was reported once.
    #[track_caller]
    pub(crate) fn one(&self, step: &str) -> &Value {
        let found = self.all(step);
        assert_eq!(found.len(), 1, "{step:?} is reported once");
        found[0]
    }

    #[track_caller]
    fn expect_url(&self, step: &str, url: &str) {
        let found = self.one(step)["url"].as_str().unwrap_or_default();
        assert_eq!(found.split('?').next(), Some(url), "{step}");
    }

    /// The application shows Ada, and its access token is hers. Gives the token's `jti`.
    #[track_caller]
    fn expect_signed_in(&self, step: &str, issuer: &str) -> &Value {
        let found = self.one(step);
        let profile = &found["profile"];
        assert_eq!(profile["sub"], SUBJECT, "{found}");
        assert_eq!(profile["name"], "Ada Lovelace", "{found}");
        assert_eq!(profile["email"], "ada@example.com", "{found}");
        assert_eq!(profile["email_verified"], true, "{found}");
        let token = &found["accessToken"];
        assert_eq!(token["iss"], issuer, "{found}");
        assert_eq!(token["sub"], SUBJECT, "{found}");
        assert_eq!(token["aud"], "spa", "{found}");
        assert_eq!(token["client_id"], "spa", "{found}");
        assert_eq!(token["tenant"], "interop", "{found}");
        assert_eq!(token["role"], "engineer", "{found}");
        assert_eq!(token["user"], USERNAME, "{found}");
        assert_eq!(token["scope"], "openid profile email", "{found}");
        &token["jti"]
    }
}
