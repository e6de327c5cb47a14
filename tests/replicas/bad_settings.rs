//! Settings that could not work, or that differ between replicas.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::redis::RedisServer;
use crate::replica::INTEROP;
use crate::world::World;

#[tokio::test]
async fn a_short_jwt_secret_is_refused_at_start_with_both_sizes() {
    let redis = RedisServer::start().await;
    let mut refused = 0;
    for (secret, starts) in [("x".repeat(31), false), ("x".repeat(32), true)] {
        let world = World::on(&redis).with("JWT_SECRET", &secret).with("JWT_ALGORITHM", "HS256");
        if starts {
            assert!(world.start().await.token(INTEROP).await.contains('.'));
            continue;
        }
        let mut replica = world.spawn();
        assert!(!replica.ended().await, "it must not start");
        let log = replica.log();
        assert!(log.contains("JWT_SECRET has 31 bytes") && log.contains("32"), "{log}");
        assert!(!log.contains(&secret), "a secret in the log");
        let output = world.try_run(&["keys", "list"]).await;
        assert!(!output.status.success(), "the commands refuse it, too");
        refused += 1;
    }
    println!("{refused} secret of 31 bytes refused, one of 32 taken");
}

#[tokio::test]
async fn a_replica_with_another_seal_secret_says_which_key_it_cannot_believe_and_harms_nobody() {
    let redis = RedisServer::start().await;
    let mut world = World::on(&redis).with("SIGNING_KEY_SECRET", "secret-of-most-replicas");
    let good = world.start().await;
    let kids = good.kids(INTEROP).await;
    good.token(INTEROP).await;
    let keys = without_what_ticks_write(&stored(&redis));

    world.set("SIGNING_KEY_SECRET", "secret-of-nobody-else");
    let strange = world.spawn();
    strange.listens().await;
    let answer = strange.get(INTEROP, "/.well-known/jwks.json").await;
    assert!(answer.status.is_server_error(), "nothing proves to it that these keys are ours: {answer:?}");
    let answer = strange.try_token(INTEROP).await.expect_err("it cannot sign");
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(!strange.is_ready().await, "a rolling update stops here");
    let log = strange.log();
    assert!(log.contains("interop") && log.contains(&kids[0]) && log.contains("SIGNING_KEY_SECRET"), "{log}");
    assert_eq!(without_what_ticks_write(&stored(&redis)), keys, "nothing was changed");
    good.token(INTEROP).await;

    // With the other secret as a second one it opens the existing keys.
    world.set("SIGNING_KEY_SECRET", "secret-of-nobody-else,secret-of-most-replicas");
    assert!(good.believes(INTEROP, &world.start().await.token(INTEROP).await).await);
    println!("a replica with a wrong seal secret: named tenant and kid, changed nothing");
}

#[tokio::test]
async fn replicas_with_different_policies_warn_of_each_other_by_both_policies() {
    let redis = RedisServer::start().await;
    let one = World::on(&redis).settings("signing: { announce: 120s, jwks_max_age: 30s, grace: 3h }").fast(10);
    let other = World::on(&redis).settings("signing: { announce: 120s, jwks_max_age: 30s, grace: 4h }").fast(10);
    let replicas = [one.start().await, other.start().await];
    let kids = [replicas[0].kids(INTEROP).await, replicas[1].kids(INTEROP).await];
    assert_eq!(kids[0], kids[1]);
    one.run(&["keys", "rotate", "--tenant", "interop"]).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    let warned = |log: &str| {
        log.contains("grace: 3h") && log.contains("grace: 4h") && log.contains("another replica has another key policy")
    };
    while !replicas.iter().any(|replica| warned(&replica.log())) {
        assert!(Instant::now() < deadline, "nobody warns: {}", replicas[0].log());
        sleep(Duration::from_millis(100)).await;
    }
    // They still work together, and the longer grace wins.
    while one.keys(None).await.iter().all(|key| key["signs_from"].is_null() || key["state"] == "signing") {
        assert!(Instant::now() < deadline, "the rotation stops");
        sleep(Duration::from_millis(200)).await;
    }
    assert!(stored(&redis).contains("\"grace\":14400"), "{}", stored(&redis));
    println!("two policies: both named in the log, the rotation went on, the longer grace was kept");
}

/// The raw stored key set of the tenant.
fn stored(redis: &RedisServer) -> String {
    let name = redis.cli(&["--scan", "--pattern", "uitsmijter:{interop}keys:*"]);
    redis.cli(&["hget", &name, "value"])
}

/// A set without the last expiry of what was signed, which the good replica writes at its tick, and so a new version
/// and new MACs.
fn without_what_ticks_write(row: &str) -> Value {
    let mut set: Value = serde_json::from_str::<Value>(row).expect("JSON")["record"].take();
    assert!(set["version"].take().is_u64(), "{row}");
    set["keys"].as_array_mut().expect("keys").iter_mut().for_each(|key| {
        drop((key["last_expiry"].take(), key["mac"].take()));
    });
    drop(set["mac"].take());
    set
}
