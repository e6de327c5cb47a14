//! The audit lines: every event with whom and where, and nothing secret.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

use crate::harness::fixtures::{PASSWORD, SECRET};
use crate::harness::relying_party::VERIFIER;
use crate::harness::{Browser, RelyingParty, TestServer};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics while it logs").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no test panics while it logs").clone()).expect("UTF-8")
    }

    fn events(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
        lines.filter(|line| line["target"] == "uitsmijter::audit").collect()
    }
}

#[tokio::test]
async fn the_life_of_a_sign_in_is_written_down_without_a_secret() {
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true);
    let subscriber = tracing_subscriber::registry().with(layer.with_writer(move || writer.clone()));
    let _guard = tracing::subscriber::set_default(subscriber);

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

    let events = lines.events();
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
    let text = lines.text();
    let session = browser.session();
    assert!(session.is_none());
    for secret in [PASSWORD, SECRET, VERIFIER, "a wrong password", "wrong secret", &code, &access, &refresh, &hint] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}
