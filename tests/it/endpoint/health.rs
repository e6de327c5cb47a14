//! `/health` and `/health/ready`.

use crate::harness::TestServer;

#[tokio::test]
async fn a_server_with_store_tenants_and_keys_is_ready() {
    let server = TestServer::start().await;
    server.get("/health").await.expect(200);
    let answer = server.get("/health/ready").await.expect(200);
    assert_eq!(answer.json()["status"], "ready");
}

#[tokio::test]
async fn a_server_without_tenants_is_alive_and_not_ready() {
    let server = TestServer::start_with("", &[]).await;
    server.get("/health").await.expect(200);
    assert_eq!(server.get("/health/ready").await.expect(503).json()["tenants"], false);
}

#[tokio::test]
async fn a_server_that_stops_is_not_ready_and_still_answers() {
    let server = TestServer::start().await;
    server.app.stop();
    server.get("/health").await.expect(200);
    assert_eq!(server.get("/health/ready").await.expect(503).json()["serving"], false);
    server.get("/.well-known/jwks.json").await.expect(200);
}

#[tokio::test]
async fn versions_are_told_unless_the_operator_keeps_them() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/versions").await.expect(200).member("version"), env!("CARGO_PKG_VERSION"));
    let silent = TestServer::start_with(&crate::harness::fixtures::documents(), &[("DISPLAY_VERSION", "false")]).await;
    silent.get("/versions").await.expect_error(404, "not_found");
}
