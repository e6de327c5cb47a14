//! Replicas that are killed in the middle of a rotation. Time goes fast here.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::counts::{chance, rounds};
use crate::redis::RedisServer;
use crate::replica::Replica;
use crate::verifier::Verifier;
use crate::world::World;

/// How much faster time runs for the replicas. Their time limits for the store shrink with it, so not much more.
const SPEED: u32 = 10;
/// The first rotation is due ten seconds after the first key was made, and so begins with the first tick.
const CALENDAR: &str = "
signing:
  rotate_every: 130s
  announce: 120s
  jwks_max_age: 30s
  grace: 1h
lifetimes:
  access_token_hours: 0.5
";
const TENANTS: [(&str, &str, &str); 4] = [
    ("one", "one.test", "ES256"),
    ("two", "two.test", "EdDSA"),
    ("three", "three.test", "ES256"),
    ("four", "four.test", "EdDSA"),
];
/// Three seconds, thirty of the replicas'.
const CACHED: Duration = Duration::from_secs(30 / SPEED as u64);

#[tokio::test]
async fn a_replica_that_is_killed_in_the_middle_of_a_rotation_takes_nothing_with_it() {
    let rounds = rounds(1, 25);
    let mut total = Tally::default();
    for _ in 0..rounds {
        let tally = one_history().await;
        total.kills += tally.kills;
        total.rotations += tally.rotations;
        total.verified += tally.verified;
    }
    println!(
        "{} replicas killed during rotations in {rounds} histories: {} rotations finished by others, {} tokens \
         verified with cached key sets, 0 failures, no key lost",
        total.kills, total.rotations, total.verified
    );
}

#[derive(Default)]
struct Tally {
    kills: usize,
    rotations: usize,
    verified: usize,
}

async fn one_history() -> Tally {
    let redis = RedisServer::start().await;
    let mut world = World::on(&redis).settings(CALENDAR).fast(SPEED);
    for (name, _, algorithm) in TENANTS {
        world = world.tenant(name, algorithm);
    }
    let mut replicas = world.start_together(3).await;
    let mut verifiers: Vec<Verifier> = TENANTS.iter().map(|(_, host, _)| Verifier::new(host, CACHED)).collect();
    let mut tally = Tally::default();
    let mut seen = BTreeSet::new();
    hammer(&replicas, &mut verifiers, &mut tally, Duration::from_millis(500)).await;

    // The first ticks make and announce keys of all tenants; during them one replica is killed, then another.
    for _ in 0..2 {
        let delay = Duration::from_millis(500 + chance(3_000));
        hammer(&replicas, &mut verifiers, &mut tally, delay).await;
        replicas.remove(chance(3) as usize).kill();
        tally.kills += 1;
        no_key_is_lost(&world, &mut seen).await;
        replicas.push(world.start().await);
    }

    // The dead are waited for until their heartbeats expire: 120 seconds, which are 12 here.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        hammer(&replicas, &mut verifiers, &mut tally, Duration::from_secs(1)).await;
        let keys = no_key_is_lost(&world, &mut seen).await;
        let retired = keys.iter().filter(|key| key["state"] == "retired").count();
        if retired >= 2 * TENANTS.len() {
            tally.rotations = retired;
            break;
        }
        assert!(Instant::now() < deadline, "nobody goes on with the rotation: {keys:#?}");
    }
    for replica in &replicas {
        assert!(!replica.log().contains("panicked"), "{}", replica.log());
    }
    tally
}

/// Signs at random replicas and verifies with the JWKS of another random one.
async fn hammer(replicas: &[Replica], verifiers: &mut [Verifier], tally: &mut Tally, span: Duration) {
    let until = Instant::now() + span;
    while Instant::now() < until {
        for (verifier, (_, host, _)) in verifiers.iter_mut().zip(TENANTS) {
            verifier.refresh(one_of(replicas)).await;
            let replica = one_of(replicas);
            // Only the first use of a tenant needs the store, which may be slow when time runs fast.
            match replica.try_token(host).await {
                Ok(token) => {
                    assert_eq!(verifier.complaint(&token), None, "from the replica on port {}", replica.port);
                    tally.verified += 1;
                }
                Err(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn one_of(replicas: &[Replica]) -> &Replica {
    &replicas[chance(replicas.len() as u64) as usize]
}

/// The store has every key that it ever had, and a signing one for each tenant and algorithm.
async fn no_key_is_lost(world: &World, seen: &mut BTreeSet<String>) -> Vec<Value> {
    let keys = world.keys(None).await;
    let kids: BTreeSet<String> = keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect();
    assert!(seen.is_subset(&kids), "lost: {:?}", seen.difference(&kids));
    for (name, _, algorithm) in TENANTS {
        for algorithm in [algorithm, "RS256"] {
            let signing =
                |key: &&Value| key["tenant"] == name && key["algorithm"] == algorithm && key["state"] == "signing";
            assert_eq!(keys.iter().filter(signing).count(), 1, "{name} {algorithm}: {keys:#?}");
        }
    }
    *seen = kids;
    keys
}
