//! An earlier version and this one side by side on one real Redis, under load: `make upgrade`.
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

use std::path::Path;

use crate::redis::RedisServer;
use crate::traffic::{Traffic, production};

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_and_the_way_back_lose_no_request_and_no_session() {
    let earlier = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/earlier/debug/uitsmijter");
    assert!(earlier.exists(), "the earlier version is not built; run tests/upgrade/install.sh");
    let redis = RedisServer::start().await;
    let now = production(&redis);
    let before = production(&redis).program(&earlier);
    let mut traffic = Traffic::begin(&before).await;
    // What one version writes the other reads, in both directions, while both are there.
    traffic.replace_all(&now).await;
    traffic.replace_all(&before).await;
    println!("an upgrade and the way back: {}", traffic.end().await);
}
