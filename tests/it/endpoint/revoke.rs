//! `/revoke` and `/introspect`: RFC 7009, RFC 7662.

use serde_json::json;

use crate::harness::server::GLOBEX;
use crate::harness::{RelyingParty, TestServer};

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_grant_along() {
    let server = TestServer::start().await;
    let web = RelyingParty::new(&server, "web");
    let code = web.obtain_code(&[]).await;
    let tokens = web.redeem(&code).await.expect(200);
    let (access, refresh) = (tokens.member("access_token"), tokens.member("refresh_token"));
    assert_eq!(web.post("/introspect", &[("token", &access)]).await.expect(200).json()["active"], true);
    assert_eq!(web.post("/introspect", &[("token", &refresh)]).await.expect(200).json()["active"], true);
    web.post("/revoke", &[("token", &refresh)]).await.expect(200);
    web.refresh(&refresh).await.expect_error(400, "invalid_grant");
    for token in [&access, &refresh] {
        let answer = web.post("/introspect", &[("token", token)]).await.expect(200);
        assert_eq!(answer.json(), json!({ "active": false }));
    }
    server.get_with_token("/userinfo", &access).await.expect(401);
}

#[tokio::test]
async fn a_revoked_access_token_dies_alone() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    spa.post("/revoke", &[("token", &tokens.member("access_token"))]).await.expect(200);
    server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(401);
    let next = spa.refresh(&tokens.member("refresh_token")).await.expect(200);
    server.get_with_token("/userinfo", &next.member("access_token")).await.expect(200);
}

#[tokio::test]
async fn a_token_of_a_client_that_acts_for_itself_can_be_revoked_too() {
    let server = TestServer::start().await;
    let service = RelyingParty::new(&server, "service");
    let token = service.token(&[("grant_type", "client_credentials")]).await.expect(200).member("access_token");
    assert_eq!(service.post("/introspect", &[("token", &token)]).await.json()["sub"], "service");
    service.post("/revoke", &[("token", &token)]).await.expect(200);
    assert_eq!(service.post("/introspect", &[("token", &token)]).await.json(), json!({ "active": false }));
}

#[tokio::test]
async fn another_client_can_revoke_nothing() {
    let server = TestServer::start().await;
    let (spa, web) = (RelyingParty::new(&server, "spa"), RelyingParty::new(&server, "web"));
    let code = spa.obtain_code(&[]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    for name in ["access_token", "refresh_token"] {
        web.post("/revoke", &[("token", &tokens.member(name))]).await.expect_error(400, "invalid_grant");
    }
    web.post("/revoke", &[("token", "unknown")]).await.expect(200);
    server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(200);
    let refresh = tokens.member("refresh_token");
    assert_eq!(web.post("/introspect", &[("token", &refresh)]).await.json(), json!({ "active": false }));
    spa.refresh(&refresh).await.expect(200);
    spa.post("/introspect", &[("token", "x")]).await.expect_error(401, "invalid_client");
    web.post("/introspect", &[]).await.expect_error(400, "invalid_request");
    server.post("/revoke", &[("token", "x")]).await.expect_error(401, "invalid_client");
    let wrong = [("token", refresh.as_str()), ("client_id", "web"), ("client_secret", "wrong")];
    server.post("/revoke", &wrong).await.expect_error(401, "invalid_client");
}

#[tokio::test]
async fn a_token_of_one_tenant_is_nothing_at_another() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    let token = spa.redeem(&code).await.expect(200).member("access_token");
    let request = axum::http::Request::get("/userinfo")
        .header("host", GLOBEX)
        .header("authorization", format!("Bearer {token}"))
        .body(axum::body::Body::empty());
    server.send(request.expect("a request")).await.expect_error(401, "invalid_token");
}
