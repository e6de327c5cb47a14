//! Client credentials: RFC 6749 §4.4.

use crate::harness::{RelyingParty, TestServer};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_client_acts_for_itself_without_refresh_or_id_token() {
    let server = TestServer::start().await;
    let service = RelyingParty::new(&server, "service");
    let answer = service.token(&[GRANT, ("scope", "jobs read:all openid secret")]).await.expect(200);
    let body = answer.json();
    assert_eq!(body["scope"], "jobs read:all");
    assert!(body["refresh_token"].is_null() && body["id_token"].is_null());
    let claims = answer.access_claims();
    assert_eq!((&claims["sub"], &claims["client_id"]), (&"service".into(), &"service".into()));
    assert!(claims["user"].is_null() && claims["auth_time"].is_null());
}

#[tokio::test]
async fn a_scope_of_which_nothing_may_be_granted_is_an_error() {
    let server = TestServer::start().await;
    let service = RelyingParty::new(&server, "service");
    service.token(&[GRANT, ("scope", "secret")]).await.expect_error(400, "invalid_scope");
    service.token(&[GRANT, ("scope", "openid")]).await.expect_error(400, "invalid_scope");
    service.token(&[GRANT, ("scope", "a\"b")]).await.expect_error(400, "invalid_scope");
    let without = service.token(&[GRANT]).await.expect(200);
    assert!(without.json()["scope"].is_null());
}

#[tokio::test]
async fn a_client_may_name_the_resource_that_it_will_call() {
    let server = TestServer::start().await;
    let service = RelyingParty::new(&server, "service");
    let answer =
        service.token(&[GRANT, ("resource", "https://api.example/"), ("resource", "urn:x:y")]).await.expect(200);
    assert_eq!(answer.access_claims()["aud"], serde_json::json!(["https://api.example/", "urn:x:y"]));
    service.token(&[GRANT, ("resource", "https://api.example/#x")]).await.expect_error(400, "invalid_target");
}
