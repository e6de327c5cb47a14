//! Redis restarted, with its data and without, and flushed, under load.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::counts::rounds;
use crate::redis::RedisServer;
use crate::replica::{INTEROP, Replica};
use crate::sign_in::Person;
use crate::verifier::Verifier;
use crate::world::World;

/// Counts of what works from memory.
#[derive(Debug, Default)]
pub(crate) struct Steady {
    /// Tokens signed and verified with a cached JWKS, and fetched key sets and discovery documents.
    pub(crate) asked: usize,
}

impl Steady {
    /// Requests everything that needs no store from all replicas once.
    pub(crate) async fn ask(&mut self, replicas: &[Replica], verifier: &Verifier) {
        for replica in replicas {
            let token = replica.token(INTEROP).await;
            assert_eq!(verifier.complaint(&token), None);
            replica.jwks(INTEROP).await;
            let discovery = replica.get(INTEROP, "/.well-known/openid-configuration").await;
            assert_eq!(discovery.status, 200, "{discovery:?}");
            self.asked += 3;
        }
    }

    /// The same for a while.
    pub(crate) async fn ask_for(&mut self, span: Duration, replicas: &[Replica], verifier: &Verifier) {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.ask(replicas, verifier).await;
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Requests everything that needs no store until `holds`, and returns how long that took.
pub(crate) async fn until(
    what: &str,
    steady: &mut Steady,
    replicas: &[Replica],
    verifier: &Verifier,
    mut holds: impl AsyncFnMut() -> bool,
) -> Duration {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "it did not happen: {what}");
        steady.ask(replicas, verifier).await;
        sleep(Duration::from_millis(50)).await;
    }
    begun.elapsed()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// A restart with its data.
    Nothing,
    /// A restart without data.
    Everything,
    /// FLUSHALL.
    Flushed,
}

#[tokio::test]
async fn a_redis_that_is_restarted_or_emptied_stops_neither_signing_nor_verification() {
    let rounds = rounds(1, 10);
    for loss in [Loss::Nothing, Loss::Everything, Loss::Flushed] {
        let (mut steady, mut back) = (Steady::default(), Vec::new());
        for _ in 0..rounds {
            back.push(one_loss(loss, &mut steady).await);
        }
        println!(
            "Redis lost {loss:?} {rounds} times: {} requests meanwhile without a failure; usable again after {back:.1?}",
            steady.asked
        );
    }
}

async fn one_loss(loss: Loss, steady: &mut Steady) -> Duration {
    let mut redis = RedisServer::start().await;
    let world = World::on(&redis).with("JWT_ALGORITHM", "ES256");
    let replicas = world.start_together(2).await;
    let verifier = Verifier::knowing(replicas[0].jwks(INTEROP).await);
    let before = replicas[0].kids(INTEROP).await;
    let mut person = Person::new();
    let refresh = person.sign_in(&replicas[0]).await["refresh_token"].as_str().expect("a token").to_owned();
    let token = replicas[0].token(INTEROP).await;

    if loss == Loss::Flushed {
        redis.cli(&["flushall"]);
    } else {
        if loss == Loss::Nothing {
            redis.cli(&["save"]);
        }
        redis.stop();
        away(&replicas, steady, &verifier, &refresh).await;
        redis.restart().await;
    }
    let back = until("the store is used again", steady, &replicas, &verifier, async || {
        replicas[0].has_store().await && replicas[1].has_store().await
    })
    .await;

    // The keys are unchanged, at every old replica and at a new one.
    let stored = until("the keys are in the store again", steady, &replicas, &verifier, async || {
        world.keys(None).await.len() == before.len()
    })
    .await;
    assert!(stored < Duration::from_secs(10), "{stored:?}");
    let fresh = world.start().await;
    for replica in replicas.iter().chain([&fresh]) {
        assert_eq!(replica.kids(INTEROP).await, before);
        assert!(replica.believes(INTEROP, &token).await);
    }
    assert_eq!(verifier.complaint(&fresh.token(INTEROP).await), None);
    // Everything else is there again if Redis kept it, and a new sign-in works in any case.
    let refreshed = refresh_once(&replicas[1], &refresh).await;
    assert_eq!(refreshed == json!(200), loss == Loss::Nothing, "{refreshed}");
    Person::new().sign_in(&replicas[1]).await;
    steady.ask_for(Duration::from_secs(1), &replicas, &verifier).await;
    for replica in replicas {
        assert!(!replica.log().contains("panicked"), "{}", replica.log());
        replica.stop().await;
    }
    back
}

/// Without the store: requests that need it fail at once, and the rest works.
pub(crate) async fn away(replicas: &[Replica], steady: &mut Steady, verifier: &Verifier, refresh: &str) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        for replica in replicas {
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
            replica.post_native("/token", &form).await.expect_store_away();
            assert!(replica.is_ready().await, "or what goes on from memory would be out of reach");
            assert!(!replica.has_store().await, "readiness says so");
        }
        steady.ask(replicas, verifier).await;
        sleep(Duration::from_millis(50)).await;
    }
}

async fn refresh_once(replica: &Replica, refresh: &str) -> serde_json::Value {
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    json!(replica.post_native("/token", &form).await.status.as_u16())
}

#[tokio::test]
async fn a_process_that_finds_an_emptied_store_before_the_others_notice_does_not_change_who_signs() {
    let rounds = rounds(1, 10);
    let mut steady = Steady::default();
    for _ in 0..rounds {
        let redis = RedisServer::start().await;
        let world = World::on(&redis).with("JWT_ALGORITHM", "ES256");
        let mut replicas = world.start_together(2).await;
        let verifier = Verifier::knowing(replicas[0].jwks(INTEROP).await);
        let before = replicas[0].kids(INTEROP).await;
        // The news would reach the second replica, and here two different ones are needed.
        sleep(Duration::from_millis(1100)).await;
        replicas.iter().for_each(Replica::freeze);
        redis.cli(&["flushall"]);
        let hasty = world.start().await;
        let (hasty_kids, hasty_token) = (hasty.kids(INTEROP).await, hasty.token(INTEROP).await);
        assert!(hasty_kids.iter().all(|kid| !before.contains(kid)), "it found nothing and made its own");
        replicas.iter().for_each(Replica::thaw);

        replicas.push(hasty);
        let mut all = [before, hasty_kids].concat();
        all.sort();
        let deadline = Instant::now() + Duration::from_secs(10);
        for replica in &replicas {
            while replica.kids(INTEROP).await != all {
                assert!(Instant::now() < deadline, "the keys of both are not published everywhere");
                sleep(Duration::from_millis(50)).await;
            }
            assert!(replica.believes(INTEROP, &hasty_token).await, "what was signed meanwhile is believed");
        }
        // The caches of the test know the previous keys only.
        steady.ask_for(Duration::from_secs(1), &replicas, &verifier).await;
    }
    println!(
        "{rounds} processes found an emptied store first: {} requests afterwards, none with a key that caches do not know",
        steady.asked
    );
}
