//! Replicas that slept, and what they remember.

use std::sync::Arc;

use uitsmijter::key::commands::{KeyCommands, Start};
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;

use super::harness::*;

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
async fn a_first_set_in_the_place_of_a_lost_one_reaches_those_who_remember() {
    let world = World::new();
    let (old, new) = (world.replica(settings(Algorithm::EdDSA)).await, world.replica(settings(Algorithm::EdDSA)).await);
    let remembers = old.tenant(&tenant("shop")).await.unwrap();
    let token = world.sign(&remembers);
    world.memory.lose("}keys:");
    let signer = new.tenant(&tenant("shop")).await.unwrap();
    assert!(verify(&signer, &token).await.is_err(), "made anew");
    old.follow_news().await.unwrap();
    new.follow_news().await.unwrap();
    assert!(verify(&signer, &token).await.is_ok(), "the lost keys are back");
    assert!(verify(&remembers, &world.sign(&signer)).await.is_ok());
}
