//! Replicas that slept, and what they remember.

use std::sync::Arc;

use uitsmijter::key::commands::{KeyCommands, Start};
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;

use super::harness::*;
use crate::harness::lines::{Lines, heed_every_thread};

#[tokio::test]
async fn a_replica_that_slept_longer_than_the_grace_brings_no_withdrawn_key_back() {
    let world = World::new();
    let (awake, asleep) =
        (world.replica(settings(Algorithm::EdDSA)).await, world.replica(settings(Algorithm::EdDSA)).await);
    let signer = awake.tenant(&tenant("shop")).await.unwrap();
    let sleeper = asleep.tenant(&tenant("shop")).await.unwrap();
    let first = kids(&signer);
    let commands =
        KeyCommands::new(world.store(), settings(Algorithm::EdDSA), world.clock.clone(), Arc::new(SystemRandom));
    let commands = commands.unwrap();
    // More withdrawals than a set remembers.
    for _ in 0..20 {
        for kid in kids(&signer) {
            commands.revoke(&tenant("shop"), &kid).await.unwrap();
        }
        awake.follow_news().await.unwrap();
        world.clock.advance(8 * DAY);
        awake.follow_news().await.unwrap();
        awake.tick().await.unwrap();
    }
    asleep.follow_news().await.unwrap();
    assert!(first.iter().all(|kid| !kids(&sleeper).contains(kid)), "{first:?} {:?}", kids(&sleeper));
    assert_eq!(kids(&sleeper), kids(&signer));
    awake.follow_news().await.unwrap();
    assert!(first.iter().all(|kid| !world.memory.row("}keys:").contains(kid)));
    assert!(commands.rotate(&tenant("shop"), Start::Announced).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_jumps_back_is_logged_with_the_keys_whose_time_is_still_to_come() {
    heed_every_thread();
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::new();
    let replica = world.replica(settings(Algorithm::RS256)).await;
    replica.follow_news().await.unwrap();
    let kid = kids(&replica.tenant(&tenant("shop")).await.unwrap())[0].clone();
    let text = || String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    world.clock.turn_back(std::time::Duration::from_secs(60));
    replica.follow_news().await.unwrap();
    assert!(!text().contains("went back"), "as far as clocks may be apart: {}", text());
    world.clock.turn_back(HOUR);
    replica.follow_news().await.unwrap();
    replica.follow_news().await.unwrap();
    let text = text();
    assert_eq!(text.matches("the clock of this replica went back by 1h").count(), 1, "{text}");
    let named = text
        .lines()
        .any(|line| line.contains("signing key is still to come") && line.contains(&kid) && line.contains("shop"));
    assert!(named, "{text}");
    assert!(text.contains("this replica is called replica-"), "{text}");
}

#[tokio::test]
async fn a_first_set_in_place_of_a_lost_one_reaches_replicas_that_remember_it() {
    let world = World::new();
    let (old, new) = (world.replica(settings(Algorithm::EdDSA)).await, world.replica(settings(Algorithm::EdDSA)).await);
    let remembers = old.tenant(&tenant("shop")).await.unwrap();
    let token = world.sign(&remembers);
    world.memory.lose("}keys:");
    let signer = new.tenant(&tenant("shop")).await.unwrap();
    assert!(verify(&signer, &token).await.is_err(), "made again");
    old.follow_news().await.unwrap();
    new.follow_news().await.unwrap();
    assert!(verify(&signer, &token).await.is_ok(), "the lost keys are back");
    assert!(verify(&remembers, &world.sign(&signer)).await.is_ok());
}

#[tokio::test]
async fn two_withdrawals_that_a_lost_store_kept_apart_stay_and_a_new_key_signs_at_once() {
    let world = World::new();
    let (one, other) =
        (world.replica(settings(Algorithm::RS256)).await, world.replica(settings(Algorithm::RS256)).await);
    let (signer, behind) = (one.tenant(&tenant("shop")).await.unwrap(), other.tenant(&tenant("shop")).await.unwrap());
    let commands =
        KeyCommands::new(world.store(), settings(Algorithm::RS256), world.clock.clone(), Arc::new(SystemRandom));
    let commands = commands.unwrap();
    commands.rotate(&tenant("shop"), Start::Announced).await.unwrap();
    one.follow_news().await.unwrap();
    other.follow_news().await.unwrap();
    let [signing, announced] = kids(&signer).try_into().expect("two keys");

    commands.revoke(&tenant("shop"), &announced).await.unwrap();
    one.follow_news().await.unwrap();
    world.memory.lose("}keys:");
    other.follow_news().await.unwrap();
    assert_eq!(kids(&behind), [signing.clone(), announced.clone()], "the first withdrawal is forgotten");
    commands.revoke(&tenant("shop"), &signing).await.unwrap();

    one.tick().await.unwrap();
    one.follow_news().await.unwrap();
    other.follow_news().await.unwrap();
    let left = kids(&signer);
    assert!(!left.is_empty() && !left.contains(&signing) && !left.contains(&announced), "{left:?}");
    assert!(verify(&behind, &world.sign(&signer)).await.is_ok());
    assert!(verify(&signer, &world.sign(&behind)).await.is_ok());
}
