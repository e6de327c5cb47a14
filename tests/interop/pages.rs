//! Chromium visits every page in every language, light and dark, on a phone and on a desk, by keyboard alone.

use std::collections::HashMap;

use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;
use serde_json::{Value, json};

use crate::browser::{Findings, walk};
use crate::configuration::{Document, PASSWORD, password_hash};
use crate::port::free_port;
use crate::server::{Server, http_client};

const LANGUAGES: [(&str, &str); 6] =
    [("en", "en-GB"), ("de", "de-AT"), ("nl", "nl-NL"), ("fr", "fr-FR"), ("es", "es-ES"), ("pt", "pt-BR")];

/// Every page that a person can reach, except the one that submits itself.
const PAGES: usize = 19;

/// Light and dark, on a phone and on a desk.
const LOOKS: usize = 4;

/// Language, locale and look of each visit: English in all looks; in the other languages only the words differ, so each
/// is visited in one.
fn visitors() -> Vec<(&'static str, &'static str, usize)> {
    let english = (0..LOOKS).map(|look| (LANGUAGES[0].0, LANGUAGES[0].1, look));
    let others = LANGUAGES.iter().enumerate().skip(1);
    english.chain(others.map(|(turn, (language, locale))| (*language, *locale, turn % LOOKS))).collect()
}

/// The application that people come from and return to, which also serves a tenant's logo. Returns its port.
pub(crate) async fn application() -> u16 {
    let logo = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><rect width="120" height="40" rx="8" fill="#b3261e"/></svg>"##;
    let blank = Html("<!doctype html><title>Application</title><link rel=icon href=data:,>");
    let routes = axum::Router::new()
        .route("/logo.svg", get(move || async move { ([(CONTENT_TYPE, "image/svg+xml")], logo) }))
        .fallback(move || async move { blank });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    port
}

/// A tenant with an account for each visitor, one that has a look of its own, and a client that asks for consent.
fn documents(application: u16) -> [Document; 3] {
    let hash = password_hash(PASSWORD);
    let people: String = visitors()
        .iter()
        .map(|(language, _, look)| {
            let profile = "{name: Ada Lovelace, email: ada@example.com}";
            format!(
                "\n    - {{username: ada.{language}.{look}, password_hash: {hash:?}, role: user, profile: {profile}}}"
            )
        })
        .collect();
    let acme = format!("name: acme\nconfig:\n  hosts: [login.acme.test]\n  users:{people}\n");
    let globex = format!(
        r##"
name: globex
config:
  hosts: [login.globex.test]
  look: {{title: Globex & Söhne, logo_url: "http://cdn.globex.test:{application}/logo.svg", accent: "#ffd54a"}}
  informations:
    imprint_url: https://globex.example/imprint
    privacy_url: https://globex.example/privacy
    register_url: https://globex.example/register
"##
    );
    let app = format!(
        r#"
name: Orders of Acme
config:
  ident: app
  tenantname: acme
  redirect_urls: ["http://app.acme.test:{application}/callback"]
  grant_types: [authorization_code, device_code]
  scopes: [openid, profile, email, offline_access, "orders:*"]
  consent: required
"#
    );
    [("Tenants", "acme", acme), ("Tenants", "globex", globex), ("Clients", "app", app)]
        .map(|(folder, name, yaml)| Document { folder, name, yaml })
}

/// The user code of a device.
async fn user_code(port: u16) -> Value {
    let asked = http_client()
        .post(format!("http://127.0.0.1:{port}/oauth/device_authorization"))
        .header("host", format!("login.acme.test:{port}"))
        .form(&[("client_id", "app"), ("scope", "openid profile")]);
    let answer = asked.send().await.expect("an answer").json::<Value>().await.expect("JSON");
    answer.get("user_code").unwrap_or_else(|| panic!("no code: {answer}")).clone()
}

#[tokio::test]
async fn every_page_is_accessible_in_every_language_and_asks_nobody_else_for_anything() {
    let (application, port) = (application().await, free_port());
    let _server = Server::start_at(port, &documents(application)).await;
    let mut people = Vec::new();
    for (language, locale, look) in visitors() {
        people.push(json!({
            "language": language, "locale": locale, "look": look,
            "username": format!("ada.{language}.{look}"),
            "codes": [user_code(port).await, user_code(port).await],
            // Once for each language.
            "wishes": language != "en" || look == 0,
        }));
    }
    let input = json!({
        "server": format!("http://login.acme.test:{port}"),
        "stranger": format!("http://login.nobody.test:{port}"),
        "styled": format!("http://login.globex.test:{port}"),
        "application": format!("http://app.acme.test:{application}"),
        "people": people,
        "password": PASSWORD,
    });
    let findings = walk("browser/pages-journey.js", input).await;
    assert_eq!(findings.one("complaints"), &json!([]));
    let pages = findings.all("page");
    assert_eq!(pages.len(), PAGES * visitors().len() + 1);
    for page in &pages {
        let place = format!("{} in {}: {}", page["name"], page["language"], page["url"]);
        assert_eq!(page["violations"], json!([]), "{place}");
        assert!(page["overflow"].as_i64().is_some_and(|pixels| pixels <= 0), "{place} sticks out to the side");
        assert_eq!(page["lang"], page["language"], "{place}");
    }
    expect_translated(&pages);
    expect_wishes_granted(&findings);
    for returned in findings.all("returned") {
        assert!(returned["url"].as_str().is_some_and(|url| url.contains("/callback?code=")), "{returned}");
    }
}

/// No sentence of a page is the English one, except for data.
#[track_caller]
fn expect_translated(pages: &[&Value]) {
    let english: HashMap<&str, &Value> =
        pages.iter().filter(|page| page["language"] == "en").map(|page| (name(page), *page)).collect();
    for page in pages.iter().filter(|page| page["language"] != "en") {
        let of_english = english.get(name(page)).and_then(|page| page["lines"].as_array()).expect("the English page");
        for line in page["lines"].as_array().expect("lines") {
            let sentence = line.as_str().is_some_and(|line| line.split_whitespace().count() > 3);
            assert!(!(sentence && of_english.contains(line)), "{} in {}: {line}", page["name"], page["language"]);
        }
        assert_ne!(page["lines"][0], of_english[0], "the headline of {} in {}", page["name"], page["language"]);
    }
}

/// `ui_locales` gives the same words as a browser of that language.
#[track_caller]
fn expect_wishes_granted(findings: &Findings) {
    let key = |page: &Value| format!("{} {}", page["name"], page["language"]);
    let pages = findings.all("page");
    let usual: HashMap<String, &Value> = pages.into_iter().map(|page| (key(page), page)).collect();
    let wishes = findings.all("wish");
    assert_eq!(wishes.len(), 6 * LANGUAGES.len());
    for wish in wishes {
        assert_eq!(wish["lang"], wish["language"], "{wish}");
        let spoken = &usual.get(&key(wish)).unwrap_or_else(|| panic!("{wish}"))["lines"];
        assert_eq!(wish["lines"][0], spoken[0], "{wish}");
    }
}

fn name(page: &Value) -> &str {
    page["name"].as_str().expect("a name")
}
