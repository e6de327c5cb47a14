//! An earlier version and this one: side by side on one real Redis, under load, and alternating on one file. `make
//! upgrade`.
//!
//! `install.sh` beside this file builds the earlier one.

#[path = "../interop/configuration.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients, which use the rest")]
mod configuration;
#[path = "../replicas/journeys.rs"]
mod journeys;
#[path = "../interop/person.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients, which use the rest")]
mod person;
#[path = "../it/harness/port.rs"]
mod port;
#[path = "../it/harness/redis.rs"]
#[expect(dead_code, reason = "shared with the tests from within, which use the rest")]
mod redis;
#[path = "../replicas/replica.rs"]
#[expect(dead_code, reason = "shared with the tests of replicas, which use the rest")]
mod replica;
#[path = "../interop/server.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients; here replicas are started by `world`")]
mod server;
#[path = "../replicas/sign_in.rs"]
#[expect(dead_code, reason = "shared with the tests of replicas, which use the rest")]
mod sign_in;
#[path = "../replicas/traffic.rs"]
mod traffic;
#[path = "../replicas/world.rs"]
#[expect(dead_code, reason = "shared with the tests of replicas, which use the rest")]
mod world;

use std::path::{Path, PathBuf};

use crate::redis::RedisServer;
use crate::replica::INTEROP;
use crate::traffic::{Traffic, production};
use crate::world::World;

fn earlier() -> PathBuf {
    let earlier = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/earlier/debug/uitsmijter");
    assert!(earlier.exists(), "the earlier version is not built; run tests/upgrade/install.sh");
    earlier
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_and_the_way_back_lose_no_request_and_no_session() {
    let redis = RedisServer::start().await;
    let now = production(&redis);
    let before = production(&redis).program(&earlier());
    let mut traffic = Traffic::begin(&before).await;
    // What one version writes the other reads, in both directions, while both run.
    traffic.replace_all(&now).await;
    traffic.replace_all(&before).await;
    println!("an upgrade and the way back: {}", traffic.end().await);
}

#[tokio::test]
async fn a_file_goes_back_to_the_earlier_version_once_it_is_closed_and_is_refused_before() {
    let world = World::on_a_file();
    let first = world.start().await;
    let (kids, token, revoked) = (first.kids(INTEROP).await, first.token(INTEROP).await, first.token(INTEROP).await);
    first.post(INTEROP, "/revoke", &[("token", &revoked)]).await;
    first.kill();

    // The last acknowledged writes are only in the journal, which the earlier version cannot read.
    let world = world.program(&earlier());
    let mut refused = world.spawn();
    assert!(!refused.ended().await, "it serves without what it cannot read");
    assert!(refused.log().contains("start and stop that version first"), "{}", refused.log());

    let world = world.program(Path::new(env!("CARGO_BIN_EXE_uitsmijter")));
    world.start().await.stop().await;
    let world = world.program(&earlier());
    let before = world.start().await;
    assert_eq!(before.kids(INTEROP).await, kids);
    assert!(before.believes(INTEROP, &token).await);
    assert!(!before.believes(INTEROP, &revoked).await);
    let later = before.token(INTEROP).await;
    before.post(INTEROP, "/revoke", &[("token", &later)]).await;
    before.stop().await;

    let world = world.program(Path::new(env!("CARGO_BIN_EXE_uitsmijter")));
    let again = world.start().await;
    assert!(again.believes(INTEROP, &token).await);
    assert!(!again.believes(INTEROP, &later).await);
}
