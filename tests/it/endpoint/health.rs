//! `/health` and `/health/ready`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uitsmijter::store::Record;

use crate::harness::fixtures;
use crate::harness::server::{GLOBEX, TestServer};

/// A broken row instead of a tenant's keys.
#[derive(Serialize, Deserialize)]
struct Foreign {
    theirs: bool,
}

impl Record for Foreign {
    const KIND: &'static str = "keys";
}

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
async fn a_server_that_never_reached_its_store_is_not_ready() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    store.go_away(true);
    let answer = server.get("/health/ready").await.expect(503).json();
    assert_eq!((&answer["store"], &answer["keys"]), (&false.into(), &true.into()), "{answer}");
    store.go_away(false);
    server.get("/health/ready").await.expect(200);
    // From here on all replicas would leave at once, and with them what works from memory.
    store.go_away(true);
    let answer = server.get("/health/ready").await.expect(200).json();
    assert_eq!((&answer["status"], &answer["store"]), (&"ready".into(), &false.into()), "{answer}");
    server.get("/.well-known/jwks.json").await.expect(200);
}

#[tokio::test]
async fn a_key_row_of_one_tenant_that_cannot_be_read_keeps_no_other_from_being_served() {
    let server = TestServer::start().await;
    server.get_at(GLOBEX, "/.well-known/jwks.json").await.expect(200);
    let snapshot = server.app.registry.current();
    let first = server.app.store.within(snapshot.tenants().next().expect("a tenant").name.clone());
    first
        .put("set", &Foreign { theirs: true }, &[], server.app.services.clock.now() + Duration::from_secs(60))
        .await
        .expect("a store");
    let answer = server.get("/health/ready").await.expect(200).json();
    assert_eq!(answer["keys"], true, "{answer}");
    server.get("/.well-known/jwks.json").await.expect(500);
    server.get_at(GLOBEX, "/.well-known/jwks.json").await.expect(200);
}

#[tokio::test]
async fn readiness_looks_at_the_keys_that_are_there_and_makes_none_beside_them() {
    let server = TestServer::start().await;
    let has_keys = async |tenant: &str| server.app.services.keys.has_keys(tenant).await.expect("a store");
    server.get_at(GLOBEX, "/.well-known/jwks.json").await.expect(200);
    assert_eq!(server.get("/health/ready").await.expect(200).json()["keys"], true);
    assert!(has_keys("globex").await && !has_keys("acme").await);
}

#[tokio::test]
async fn versions_are_told_unless_the_operator_keeps_them() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/versions").await.expect(200).member("version"), env!("CARGO_PKG_VERSION"));
    let silent = TestServer::start_with(&crate::harness::fixtures::documents(), &[("DISPLAY_VERSION", "false")]).await;
    silent.get("/versions").await.expect_error(404, "not_found");
}
