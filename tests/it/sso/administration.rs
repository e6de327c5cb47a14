//! An operator finds and ends sessions, at the store or through the admin socket.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use serde_json::{Value, json};
use uitsmijter::issuer::Issuer;
use uitsmijter::server::admin::{self, Answer};
use uitsmijter::sso::administration::{self, Ended, Meant};

use crate::harness::fixtures::{self, CALLBACK, PASSWORD};
use crate::harness::{Answer as Response, Application, Browser, RelyingParty, TestServer};

fn issuer(server: &TestServer, tenant: &str) -> Issuer {
    server.app.issuer_named(tenant, "https://login.example").expect("a tenant")
}

fn subject(name: &str) -> Meant {
    Meant::Subject(name.into())
}

async fn end(server: &TestServer, meant: &Meant) -> (usize, usize) {
    let Ended { sessions, grants, .. } = administration::end(&issuer(server, "acme"), meant).await.expect("an end");
    (sessions, grants)
}

async fn found(server: &TestServer, meant: &Meant) -> Vec<String> {
    let found = administration::list(&issuer(server, "acme"), meant).await.expect("a list");
    found.into_iter().map(|session| session.subject).collect()
}

async fn sign_in(browser: &mut Browser<'_>, client: &RelyingParty<'_>) -> Response {
    client.redeem(&client.obtain_code_in(browser, &[]).await).await.expect(200)
}

/// A server with one person who has a session, a refresh token, and a token from a grant without a session.
struct Person<'s> {
    spa: RelyingParty<'s>,
    browser: Browser<'s>,
    tokens: Response,
    direct: String,
}

impl<'s> Person<'s> {
    async fn begin(server: &'s TestServer) -> Self {
        let spa = RelyingParty::new(server, "spa");
        let mut browser = Browser::new(server);
        let offline = [("scope", "openid offline_access")];
        let tokens = spa.redeem(&spa.obtain_code_in(&mut browser, &offline).await).await.expect(200);
        let fields = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
        let direct = RelyingParty::new(server, "legacy").token(&fields).await.expect(200).member("access_token");
        Self { spa, browser, tokens, direct }
    }

    async fn is_gone(&mut self, server: &TestServer) {
        self.browser.get(&self.spa.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
        self.spa.refresh(&self.tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
        for token in [&self.tokens.member("access_token"), &self.direct] {
            server.get_with_token("/token/info", token).await.expect_error(401, "invalid_token");
        }
    }

    async fn is_there(&mut self, server: &TestServer) {
        self.spa.code_of(&self.browser.get(&self.spa.authorize_path(&[("prompt", "none")])).await);
        server.get_with_token("/token/info", &self.direct).await.expect(200);
    }
}

#[tokio::test]
async fn a_person_loses_sessions_grants_and_refresh_tokens_however_they_are_named_and_nobody_else_does() {
    let names = [subject("acme-ada"), Meant::Username("ada".into()), Meant::Everybody];
    for meant in names {
        let server = TestServer::start().await;
        let mut ada = Person::begin(&server).await;
        let mut neighbour = Browser::at(&server, "login.globex.example");
        let other = RelyingParty::new(&server, "globex-spa");
        other.obtain_code_in(&mut neighbour, &[]).await;
        assert_eq!(found(&server, &meant).await, ["acme-ada"], "{meant:?}");
        ada.is_there(&server).await;
        for nobody in [subject("acme-bob"), Meant::Username("Ada".into()), Meant::Client("web".into())] {
            assert_eq!((found(&server, &nobody).await.len(), end(&server, &nobody).await), (0, (0, 0)), "{nobody:?}");
        }
        ada.is_there(&server).await;
        assert_eq!(end(&server, &meant).await, (1, 2), "{meant:?}");
        assert!(found(&server, &meant).await.is_empty());
        ada.is_gone(&server).await;
        other.code_of(&neighbour.get(&other.authorize_path(&[("prompt", "none")])).await);
    }
}

#[tokio::test]
async fn what_was_granted_to_a_client_ends_with_the_sessions_in_which_it_was() {
    let server = TestServer::start().await;
    let mut ada = Person::begin(&server).await;
    let web = RelyingParty::new(&server, "web");
    let mut browser = Browser::new(&server);
    let others = sign_in(&mut browser, &web).await.member("access_token");
    assert_eq!(found(&server, &Meant::Client("web".into())).await, ["acme-ada"]);
    assert_eq!(end(&server, &Meant::Client("web".into())).await, (1, 1));
    browser.get(&web.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
    server.get_with_token("/userinfo", &others).await.expect_error(401, "invalid_token");
    ada.is_there(&server).await;
    // Grants for offline use have no session, and end as well.
    assert_eq!(end(&server, &Meant::Client("spa".into())).await.1, 1);
    ada.spa.refresh(&ada.tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn clients_are_told_that_an_operator_ended_a_session() {
    let application = Application::start("").await;
    let client = format!(
        "name: one\nconfig:\n  tenantname: acme\n  ident: one\n  redirect_urls: ['{CALLBACK}']\n  scopes: [openid]\n  \
         backchannel_logout_uri: {}\n",
        application.url("/bye")
    );
    let documents = [fixtures::documents(), client].join("\n---\n");
    let server = TestServer::start_with(&documents, &[]).await;
    let one = RelyingParty::new(&server, "one");
    sign_in(&mut Browser::new(&server), &one).await;
    end(&server, &subject("acme-ada")).await;
    assert!(application.wait_for(1).await[0].starts_with("logout_token="));
}

#[tokio::test]
async fn the_metrics_count_living_sessions_per_tenant() {
    let server = TestServer::start().await;
    let gauge = async |count: usize| {
        server.app.count_sessions().await;
        let text = server.app.services.metrics.encode().expect("metrics");
        assert!(text.contains(&format!("uitsmijter_sessions{{tenant=\"acme\"}} {count}\n")), "{text}");
        assert!(text.contains("uitsmijter_sessions{tenant=\"globex\"} 0\n"), "{text}");
    };
    gauge(0).await;
    let spa = RelyingParty::new(&server, "spa");
    for _ in 0..2 {
        spa.obtain_code(&[]).await;
    }
    gauge(2).await;
    end(&server, &Meant::Everybody).await;
    gauge(0).await;
}

#[tokio::test]
async fn the_admin_socket_is_for_its_owner_and_carries_out_one_order_per_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = admin::beside(&folder.path().join("store"));
    assert_eq!(admin::ask(&path, &json!("nobody")).await.expect("no failure"), None, "nobody listens");
    // What a process left that has ended.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    assert_eq!(admin::ask(&path, &json!("nobody")).await.expect("no failure"), None, "nobody listens any more");
    let listener = admin::bind(&path).expect("a socket");
    assert_eq!(path.metadata().expect("a socket").permissions().mode() & 0o777, 0o600);
    let said = |order: Value| Answer { code: 3, out: order.to_string(), errors: "so".into() };
    tokio::spawn(admin::serve(listener, path.clone(), Arc::new(said)));
    for order in [json!({ "sessions": "end" }), json!("another")] {
        let answer = admin::ask(&path, &order).await.expect("an answer").expect("a server");
        assert_eq!(answer, Answer { code: 3, out: order.to_string(), errors: "so".into() });
    }
    let too_much = json!("x".repeat(70_000));
    assert!(admin::ask(&path, &too_much).await.is_err());
    assert!(admin::ask(&path, &json!("still there")).await.expect("an answer").is_some());
    std::fs::remove_file(&path).expect("a file");
    std::fs::write(&path, "a file of somebody").expect("a file");
    assert!(admin::bind(&path).expect_err("it stays").to_string().contains("is no socket"));
}
