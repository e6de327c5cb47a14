//! What an operator takes from a client is taken from what it was given before.

use crate::harness::fixtures;
use crate::harness::{Answer, Browser, Proxy, RelyingParty, TestServer};

const GRANTS: &str = "  grant_types: [authorization_code, refresh_token]\n";

/// Ada's tokens for `spa`, and a server that then has `changed` documents.
async fn after(scope: &str, resource: &str, change: impl Fn(&str) -> String) -> (TestServer, Answer) {
    let documents = fixtures::documents();
    let server = TestServer::start_with(&documents, &[]).await;
    let spa = RelyingParty::new(&server, "spa");
    let tokens = spa.redeem(&spa.obtain_code(&[("scope", scope), ("resource", resource)]).await).await.expect(200);
    let changed = change(&documents);
    assert_ne!(changed, documents);
    server.declare(&changed);
    (server, tokens)
}

async fn refresh(server: &TestServer, tokens: &Answer) -> Answer {
    RelyingParty::new(server, "spa").refresh(&tokens.member("refresh_token")).await
}

const SCOPES: &str = "scopes: [openid, profile, email, address, phone, offline_access, \"read:*\"]";

#[tokio::test]
async fn a_scope_is_taken_from_refresh_tokens() {
    let narrower = |documents: &str| documents.replace(SCOPES, "scopes: [openid, profile]");
    let (server, tokens) = after("openid profile email read:mail", "", narrower).await;
    let renewed = refresh(&server, &tokens).await.expect(200);
    assert_eq!(renewed.json()["scope"], "openid profile staff");
    assert_eq!(renewed.access_claims()["scope"], "openid profile staff");
    let spa = RelyingParty::new(&server, "spa");
    // A client that always sends what it once got still gets what is left.
    let refresh_token = renewed.member("refresh_token");
    let fields = |scope| [("grant_type", "refresh_token"), ("refresh_token", &*refresh_token), ("scope", scope)];
    let again = spa.token(&fields("openid email")).await.expect(200);
    assert_eq!(again.json()["scope"], "openid");
    spa.token(&fields("email read:mail")).await.expect_error(400, "invalid_grant");
    spa.token(&fields("openid address")).await.expect_error(400, "invalid_scope");
}

#[tokio::test]
async fn nothing_left_of_a_scope_is_no_token_at_all() {
    let nothing =
        |documents: &str| documents.replace(SCOPES, "scopes: [profile]").replace("Scopes: [staff]", "Scopes: []");
    let (server, tokens) = after("email read:mail", "", nothing).await;
    refresh(&server, &tokens).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_scope_that_the_tenant_added_is_taken_away_with_its_permission() {
    let (server, tokens) =
        after("openid", "", |documents| documents.replace("Scopes: [staff]", "Scopes: [other]")).await;
    assert_eq!(tokens.json()["scope"], "openid staff");
    assert_eq!(refresh(&server, &tokens).await.expect(200).json()["scope"], "openid");
}

#[tokio::test]
async fn a_resource_is_taken_from_refresh_tokens() {
    let only = |documents: &str| {
        documents.replace("\"https://one.example/\", \"https://two.example/\"", "\"https://two.example/\"")
    };
    let (server, tokens) = after("openid", "https://one.example/", only).await;
    assert_eq!(tokens.access_claims()["aud"], "https://one.example/");
    refresh(&server, &tokens).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_grant_type_is_taken_from_refresh_tokens() {
    let device = |documents: &str| {
        documents.replacen(
            "  ident: spa\n",
            &format!("  ident: spa\n{}", GRANTS.replace("authorization_code", "device_code")),
            1,
        )
    };
    let (server, tokens) = after("openid", "", device).await;
    refresh(&server, &tokens).await.expect_error(400, "invalid_grant");
    let none = |documents: &str| {
        documents.replacen("  ident: spa\n", "  ident: spa\n  grant_types: [authorization_code]\n", 1)
    };
    let (server, tokens) = after("openid", "", none).await;
    refresh(&server, &tokens).await.expect_error(400, "unauthorized_client");
}

#[tokio::test]
async fn the_tokens_of_a_client_that_is_gone_are_inactive_everywhere() {
    let renamed = |documents: &str| documents.replacen("  ident: spa\n", "  ident: another\n", 1);
    let (server, tokens) = after("openid profile", "", renamed).await;
    let access = tokens.member("access_token");
    for path in ["/userinfo", "/token/info"] {
        server.get_with_token(path, &access).await.expect_error(401, "invalid_token");
    }
    let web = RelyingParty::new(&server, "web");
    assert_eq!(
        web.post("/introspect", &[("token", &access)]).await.expect(200).json(),
        serde_json::json!({"active": false})
    );
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", &*access),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    RelyingParty::new(&server, "exchange-service").token(&fields).await.expect_error(400, "invalid_request");
    server.declare(&fixtures::documents());
    server.get_with_token("/userinfo", &access).await.expect(200);
}

#[tokio::test]
async fn the_own_token_of_a_client_that_is_gone_is_inactive_too() {
    let server = TestServer::start().await;
    let own = RelyingParty::new(&server, "service").token(&[("grant_type", "client_credentials")]).await.expect(200);
    let web = RelyingParty::new(&server, "web");
    let active = async || {
        let told = web.post("/introspect", &[("token", &own.member("access_token"))]).await.expect(200);
        told.json()["active"].clone()
    };
    assert_eq!(active().await, true);
    server.declare(&fixtures::documents().replacen("  ident: service\n", "  ident: another\n", 1));
    assert_eq!(active().await, false);
}

#[tokio::test]
async fn an_application_behind_the_proxy_is_no_client_and_its_token_lives() {
    let tenant = fixtures::tenant("acme", "*.acme.example")
        .replace("  users:", "  interceptor: {domain: login.acme.example, cookie: acme.example}\n  users:");
    let server = TestServer::start_with(&format!("{tenant}\n---\n{}", fixtures::clients("acme", "")), &[]).await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::new(&server));
    proxy.enter(&mut browser, "https://shop.acme.example/").await.expect(303);
    let passed = proxy.ask(&browser, "https://shop.acme.example/").await.expect(200);
    server.get_with_token("/userinfo", crate::harness::proxy::token(&passed)).await.expect(200);
}
