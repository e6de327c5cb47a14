//! The audit lines: every event with whom and where, and nothing secret.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;
use std::time::Duration;

use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::harness::fixtures::{PASSWORD, SECRET};
use crate::harness::relying_party::VERIFIER;
use crate::harness::{Browser, RelyingParty, TestServer};

thread_local! {
    /// What this thread's test logs, once somebody wants to know.
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

/// Begins to keep what this thread logs. One subscriber for the whole process: with one per thread, a line that
/// another thread's test reaches first would be taken for one that nobody wants.
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

#[tokio::test]
async fn the_life_of_a_sign_in_is_written_down_without_a_secret() {
    listen();
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[])).await;
    browser.sign_in_as(&page, "eve\u{202e} \"event\"", "a wrong password").await.expect_page(403);
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
    assert_eq!(events[0]["username"], "eve\\u{202e} \\\"event\\\"");
    assert_eq!((&events[1]["subject"], &events[1]["way"]), (&"acme-ada".into(), &"authorization_code".into()));
    assert_eq!((&events[2]["client"], &events[2]["subject"]), (&"spa".into(), &"acme-ada".into()));
    assert_eq!(events[3]["client"], "service");
    for secret in [PASSWORD, SECRET, VERIFIER, "a wrong password", "wrong secret", &code, &access, &refresh, &hint] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_rotation_is_written_down_with_its_reason() {
    listen();
    let server = TestServer::start().await;
    server.get("/.well-known/jwks.json").await.expect(200);
    for _ in 0..95 {
        server.clock.advance(Duration::from_secs(24 * 60 * 60));
        server.app.keys.follow_news().await.expect("the news");
        server.app.keys.tick().await.expect("a tick");
    }
    let text = text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let rotations: Vec<Value> = lines.filter(|line| line["event"] == "key_rotated").collect();
    assert_eq!(rotations.len(), 1, "{text}");
    assert_eq!((&rotations[0]["tenant"], &rotations[0]["reason"]), (&"acme".into(), &"due".into()));
    assert!(rotations[0]["kid"].is_string());
}
