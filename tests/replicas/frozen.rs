//! A frozen replica cannot confirm a new key, and the others wait for it while its heartbeat lives.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::counts::rounds;
use crate::redis::RedisServer;
use crate::replica::INTEROP;
use crate::world::World;

const SPEED: u32 = 10;
const CALENDAR: &str = "
signing:
  rotate_every: 10h
  announce: 90s
  jwks_max_age: 30s
  grace: 3h
";
/// A heartbeat lives for 120 seconds of the replicas.
const HEARTBEAT_LIFE: Duration = Duration::from_secs(120 / SPEED as u64);

#[tokio::test]
async fn a_key_waits_for_a_frozen_replica_and_goes_on_when_it_is_back_or_its_heartbeat_ends() {
    let rounds = rounds(1, 10);
    let (mut thawed_after, mut expired_after) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        thawed_after.push(one_rotation(true).await);
        expired_after.push(one_rotation(false).await);
    }
    println!(
        "{rounds} rotations waited for a frozen replica and were scheduled after it came back: {thawed_after:.1?}; \
         {rounds} after its heartbeat ended: {expired_after:.1?} (times of the replicas are {SPEED} times as long)"
    );
}

/// Returns how long after the announcement the key got its date.
async fn one_rotation(thaw: bool) -> Duration {
    let redis = RedisServer::start().await;
    let world = World::on(&redis).settings(CALENDAR).fast(SPEED);
    let replicas = world.start_together(3).await;
    for replica in &replicas {
        replica.jwks(INTEROP).await;
    }
    let frozen = &replicas[0];
    frozen.freeze();
    let begun = Instant::now();
    world.run(&["keys", "rotate", "--tenant", "interop"]).await;

    let mut held_back = 0;
    // A heartbeat is written every 30 seconds, so the last one may be that old.
    let surely_alive = HEARTBEAT_LIFE - Duration::from_secs(30 / SPEED as u64) - Duration::from_secs(2);
    while begun.elapsed() < surely_alive {
        let coming = coming(&world).await;
        assert_eq!(coming["signs_from"], Value::Null, "scheduled although a living replica does not publish it");
        let waits_for = coming["waits_for"].as_array().expect("a list");
        if waits_for.len() == 1 {
            held_back += 1;
        }
        sleep(Duration::from_millis(200)).await;
    }
    assert!(held_back > 0, "`keys list` names the replica that holds the key back");
    let said = replicas[1..].iter().any(|replica| replica.log().contains("waits for these replicas to publish it"));
    assert!(said, "{}", replicas[1].log());
    let mut counted = false;
    for replica in &replicas[1..] {
        counted |= replica.metrics().await.contains("uitsmijter_key_replicas_unconfirmed{tenant=\"interop\"} 1");
    }
    assert!(counted, "a metric says how many hold it back");

    if thaw {
        frozen.thaw();
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while coming(&world).await["signs_from"] == Value::Null {
        assert!(Instant::now() < deadline, "the key goes on waiting");
        sleep(Duration::from_millis(200)).await;
    }
    let scheduled_after = begun.elapsed();
    if !thaw {
        frozen.thaw();
    }
    // The thawed replica catches up within two seconds, and then all agree.
    sleep(Duration::from_secs(2)).await;
    let kids = replicas[1].kids(INTEROP).await;
    assert_eq!(kids.len(), 2);
    assert_eq!(frozen.kids(INTEROP).await, kids);
    scheduled_after
}

async fn coming(world: &World) -> Value {
    let keys = world.keys(Some("interop")).await;
    let announced: Vec<&Value> = keys.iter().filter(|key| key["state"] == "announced").collect();
    assert_eq!(announced.len(), 1, "{keys:#?}");
    announced[0].clone()
}
