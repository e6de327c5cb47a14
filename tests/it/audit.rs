//! The audit lines: every event with person and place, and no secrets.

use std::cell::RefCell;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Once;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use uitsmijter::logged_name::LoggedNames;

use crate::harness::fixtures::{self, PASSWORD, SECRET};
use crate::harness::relying_party::VERIFIER;
use crate::harness::server::form;
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

thread_local! {
    /// The log lines of this thread's test, once it listens.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.iter_mut().for_each(|lines| lines.extend(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts keeping the log lines of this thread. One subscriber for the whole process: with one per thread, a line that
/// another thread's test reaches first would be disabled for all.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true);
        let filter = tracing_subscriber::EnvFilter::new("uitsmijter=debug");
        tracing_subscriber::registry().with(filter).with(layer.with_writer(|| Lines)).init();
    });
    LINES.set(Some(Vec::new()));
}

fn text() -> String {
    String::from_utf8(LINES.take().expect("listen comes first")).expect("UTF-8")
}

const SEALING: &str = "a sealing secret of at least thirty-two bytes";

#[tokio::test]
async fn an_operator_may_want_names_as_they_were_typed() {
    listen();
    let server = TestServer::start_with(&fixtures::documents(), &[("LOG_USER_NAMES", "clear")]).await;
    let fields =
        [("grant_type", "password"), ("client_id", "legacy"), ("username", "e\u{202e}ve"), ("password", "wrong")];
    server.post("/token", &fields).await.expect_error(400, "invalid_grant");
    assert_eq!(events()[0]["username"], "e\\u{202e}ve", "and still escaped");
}

#[tokio::test]
async fn the_life_of_a_sign_in_is_written_down_without_a_secret() {
    listen();
    let sealing = [("SIGNING_KEY_SECRET", SEALING)];
    let server = TestServer::start_with(&fixtures::documents(), &sealing).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[])).await;
    browser.sign_in_as(&page, "mallory\u{202e} \"event\"", "a wrong password").await.expect_page(403);
    let code = spa.code_of(&browser.sign_in(&page).await);
    let tokens = spa.redeem(&code).await.expect(200);
    let (access, refresh) = (tokens.member("access_token"), tokens.member("refresh_token"));
    let wrong = [("grant_type", "client_credentials"), ("client_id", "service"), ("client_secret", "wrong secret")];
    server.post("/token", &wrong).await.expect_error(401, "invalid_client");
    server.post("/revoke", &[("client_id", "spa"), ("token", &refresh)]).await.expect(200);
    let hint = tokens.member("id_token");
    browser.get(&format!("/logout?id_token_hint={hint}")).await.expect_page(200);

    let text = text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let events: Vec<Value> = lines.filter(|line| line["target"] == "uitsmijter::audit").collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().expect("a name")).collect();
    assert_eq!(names, ["login_failure", "login", "token_issued", "client_refused", "token_revoked", "logout"]);
    for event in &events {
        assert_eq!(event["tenant"], "acme", "{event}");
        assert!(event["span"]["request_id"].is_string(), "{event}");
    }
    // Spelled otherwise it is the same name.
    let digest = LoggedNames::digested(SEALING.as_bytes()).of("", "mallory \"event\"");
    assert_eq!(events[0]["username"], digest);
    assert!(!text.contains("mallory"), "people type passwords as user names");
    assert_eq!((&events[1]["subject"], &events[1]["way"]), (&"acme-ada".into(), &"authorization_code".into()));
    assert_eq!((&events[2]["client"], &events[2]["subject"]), (&"spa".into(), &"acme-ada".into()));
    assert_eq!(events[3]["client"], "service");
    for secret in [PASSWORD, SECRET, VERIFIER, "a wrong password", "wrong secret", &code, &access, &refresh, &hint] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

/// The audit lines since [`listen`].
fn events() -> Vec<Value> {
    let text = text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    lines.filter(|line| line["target"] == "uitsmijter::audit").collect()
}

/// Sends a request that came through this many proxies, as the last of them reports it.
async fn send(server: &TestServer, mut request: Request<Body>, peer: [u8; 4], forwarded_for: &str) -> Answer {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 4711))));
    if !forwarded_for.is_empty() {
        request
            .headers_mut()
            .insert("x-forwarded-for", HeaderValue::from_bytes(forwarded_for.as_bytes()).expect("a header"));
    }
    server.send(request).await
}

#[tokio::test]
async fn an_audit_line_names_the_client_and_the_address_that_no_stranger_can_choose() {
    listen();
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[])).await;
    let interaction = page.hidden("interaction");
    let cookies: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let proxy = [10, 0, 0, 1];
    let stories = [
        ([203, 0, 113, 9], "", "203.0.113.9"),
        ([203, 0, 113, 9], "198.51.100.1", "203.0.113.9"),
        (proxy, "203.0.113.9", "203.0.113.9"),
        (proxy, "1.2.3.4, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (proxy, "1.2.3.4, 203.0.113.9:5555", "203.0.113.9"),
        (proxy, "1.2.3.4, [2001:db8::7]:5555", "2001:db8::7"),
        (proxy, "1.2.3.4,[2001:db8::7]", "2001:db8::7"),
        // The first byte is not ASCII.
        (proxy, "\u{ff}, 203.0.113.9", "203.0.113.9"),
        (proxy, "1.2.3.4, ::ffff:203.0.113.9", "203.0.113.9"),
        (proxy, "1.2.3.4, unknown", "10.0.0.1"),
        (proxy, "1.2.3.4, _hidden, 10.0.0.2", "10.0.0.2"),
        (proxy, "1.2.3.4,", "10.0.0.1"),
    ];
    for (number, (peer, forwarded_for, address)) in stories.into_iter().enumerate() {
        LINES.set(Some(Vec::new()));
        let username = format!("name{number}");
        let fields = [("username", &*username), ("password", "wrong"), ("interaction", &*interaction)];
        let mut request = form("/login", &fields);
        request.headers_mut().insert("cookie", cookies.join("; ").parse().expect("a header"));
        send(&server, request, peer, forwarded_for).await.expect_page(403);
        let events = events();
        assert_eq!(events.len(), 1, "{forwarded_for}");
        let told = (&events[0]["event"], &events[0]["span"]["address"], &events[0]["span"]["client"]);
        assert_eq!(told, (&"login_failure".into(), &address.into(), &"spa".into()), "{forwarded_for}");
    }

    LINES.set(Some(Vec::new()));
    let back = browser.sign_in(&page).await;
    let tokens = spa.redeem(&spa.code_of(&back)).await.expect(200);
    browser.get(&format!("/logout?id_token_hint={}", tokens.member("id_token"))).await.expect_page(200);
    for event in events() {
        assert_eq!(event["span"]["client"], "spa", "{event}");
    }
    LINES.set(Some(Vec::new()));
    server.get("/authorize?client_id=nobody&redirect_uri=https%3A%2F%2Fevil.example%2F").await.expect_page(400);
    server.get("/authorize?client_id=spa&redirect_uri=https%3A%2F%2Fevil.example%2F").await.expect_page(400);
    let refused: Vec<Value> = events();
    assert!(refused.iter().all(|event| event["event"] == "client_refused"), "{refused:#?}");
    assert_eq!((&refused[0]["client"], &refused[1]["client"]), (&"nobody".into(), &"spa".into()));
}

#[tokio::test]
async fn a_logout_is_written_down_once_something_ended_and_says_how_much() {
    listen();
    let server = TestServer::start().await;
    let (mut laptop, mut phone) = (Browser::new(&server), Browser::new(&server));
    for browser in [&mut laptop, &mut phone] {
        let page = browser.visit("/login").await;
        browser.sign_in(&page).await;
    }
    LINES.set(Some(Vec::new()));
    let token = phone.get("/").await.hidden("token");
    phone.post("/", &[("token", &token), ("session", "somebody-elses")]).await.expect(303);
    assert!(phone.session().is_some());
    phone.post("/", &[("token", &token), ("everywhere", "1")]).await.expect(303);
    let events = events();
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!((&events[0]["event"], &events[0]["extent"]), (&"logout".into(), &"everywhere".into()));
    let metrics = server.app.services.metrics.encode().expect("metrics");
    assert!(metrics.contains("uitsmijter_logout_total{tenant=\"acme\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_rotation_is_written_down_with_its_reason() {
    listen();
    let server = TestServer::start().await;
    server.get("/.well-known/jwks.json").await.expect(200);
    for _ in 0..95 {
        server.clock.advance(Duration::from_secs(24 * 60 * 60));
        server.app.services.keys.follow_news().await.expect("the news");
        server.app.services.keys.tick().await.expect("a tick");
    }
    let text = text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let rotations: Vec<Value> = lines.filter(|line| line["event"] == "key_rotated").collect();
    assert_eq!(rotations.len(), 1, "{text}");
    assert_eq!((&rotations[0]["tenant"], &rotations[0]["reason"]), (&"acme".into(), &"due".into()));
    assert!(rotations[0]["kid"].is_string());
}
