//! Damaged rows in the store, and a store that comes and goes.

use std::sync::Arc;

use uitsmijter::key::commands::{KeyCommands, Start};
use uitsmijter::key::signer_manager::{Extras, SignerManager};
use uitsmijter::metrics::Metrics;
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;

use super::harness::*;
use super::memory::Barred;

fn commands(world: &World) -> KeyCommands {
    let (clock, random) = (world.clock.clone(), Arc::new(SystemRandom));
    KeyCommands::new(world.store(), settings(Algorithm::EdDSA), clock, random).unwrap()
}

#[tokio::test]
async fn damaged_news_are_begun_again_and_stop_neither_a_first_use_nor_a_rotation() {
    let far = r#"{"record":{"revision":18446744073709551615,"recent":[]}}"#;
    for damaged in ["garbage", r#"{"record":7}"#, far] {
        let world = World::new();
        let replica = world.replica(settings(Algorithm::EdDSA)).await;
        let signer = replica.tenant(&tenant("shop")).await.unwrap();
        world.memory.edit("}key-news:", |_| damaged.into());
        let fresh = world.replica(settings(Algorithm::EdDSA)).await;
        fresh.tenant(&tenant("bank")).await.expect("a first use");
        world.memory.edit("}key-news:", |_| damaged.into());
        replica.follow_news().await.expect("the news");
        fresh.follow_news().await.expect("the news");
        assert!(!world.memory.row("}key-news:").contains(damaged), "begun again");
        commands(&world).rotate(&tenant("shop"), Start::Now).await.unwrap();
        replica.follow_news().await.unwrap();
        assert_eq!(kids(&signer).len(), 4, "they arrive");
    }
}

#[tokio::test]
async fn a_damaged_heartbeat_is_passed_over_and_written_again() {
    let world = World::new();
    let replica = world.replica(settings(Algorithm::EdDSA)).await;
    let signer = replica.tenant(&tenant("shop")).await.unwrap();
    world.memory.edit("}replica:", |_| "garbage".into());
    assert_eq!(commands(&world).list(&tenant("shop")).await.unwrap().len(), 2);
    world.clock.advance(89 * DAY);
    replica.tick().await.expect("a tick");
    replica.follow_news().await.unwrap();
    assert!(!world.memory.row("}replica:").contains("garbage"));
    assert_eq!(kids(&signer).len(), 4);
}

#[tokio::test]
async fn a_set_that_cannot_count_on_is_refused_by_name_and_left_alone() {
    let world = World::new();
    world.replica(settings(Algorithm::EdDSA)).await.tenant(&tenant("shop")).await.unwrap();
    world.memory.edit("}keys:", |row| row.replace("\"version\":1", "\"version\":18446744073709551615"));
    let bad = world.memory.row("}keys:");
    let fresh = world.replica(settings(Algorithm::EdDSA)).await;
    let error = format!("{:#}", fresh.tenant(&tenant("shop")).await.err().expect("refused"));
    assert!(error.contains("tenant shop") && error.contains("18446744073709551615"), "{error}");
    assert!(commands(&world).rotate(&tenant("shop"), Start::Now).await.is_err());
    assert_eq!(world.memory.row("}keys:"), bad);
}

#[tokio::test]
async fn the_store_is_shown_as_away_for_as_long_as_it_is() {
    let world = World::new();
    let metrics = Metrics::default();
    let extras = Extras { metrics: metrics.clone(), ..Extras::default() };
    let (clock, random) = (world.clock.clone(), Arc::new(SystemRandom));
    let opened = SignerManager::open_with(world.store(), settings(Algorithm::EdDSA), clock, random, extras);
    let replica = opened.await.unwrap();
    replica.tenant(&tenant("shop")).await.unwrap();
    let up = || metrics.encode().unwrap().contains("uitsmijter_store_up 1\n");
    replica.follow_news().await.unwrap();
    assert!(up());
    world.memory.set_away(true);
    assert!(replica.follow_news().await.is_err());
    assert!(replica.tick().await.is_ok(), "nothing is due, so it asks no store");
    assert!(!up(), "and has not seen it back");
    world.memory.set_away(false);
    replica.follow_news().await.unwrap();
    assert!(up());
}

#[tokio::test]
async fn a_withdrawal_that_was_stored_and_not_announced_is_announced_by_the_next_try() {
    let world = World::new();
    let replica = world.replica(settings(Algorithm::RS256)).await;
    let signer = replica.tenant(&tenant("shop")).await.unwrap();
    let old = kids(&signer)[0].clone();
    replica.follow_news().await.unwrap();
    world.memory.bar(Some(("}key-news:", Barred::Away)));
    assert!(commands(&world).revoke(&tenant("shop"), &old).await.is_err(), "stored, not told");
    world.memory.bar(None);
    replica.follow_news().await.unwrap();
    assert_eq!(kids(&signer), [old.as_str()], "nobody knows");
    commands(&world).revoke(&tenant("shop"), &old).await.unwrap();
    replica.follow_news().await.unwrap();
    assert!(!kids(&signer).contains(&old));
}

#[tokio::test]
async fn a_replica_that_could_not_put_back_what_was_lost_says_that_it_has_not_followed() {
    let world = World::new();
    let replica = world.replica(settings(Algorithm::EdDSA)).await;
    replica.tenant(&tenant("shop")).await.unwrap();
    world.memory.clear();
    world.memory.bar(Some(("}keys:", Barred::Lost)));
    replica.follow_news().await.unwrap();
    assert!(world.memory.row("}replica:").contains(r#""unreadable":["shop"]"#), "{}", world.memory.row("}replica:"));
}
