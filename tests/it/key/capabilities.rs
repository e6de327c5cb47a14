//! Newer forms are written only while every living replica understands them.

use std::time::Duration;

use uitsmijter::key::Capability;
use uitsmijter::key::replicas::heartbeat::{HEARTBEAT_LIFE, Heartbeat};
use uitsmijter::key::replicas::news;
use uitsmijter::protocol::jwk::Algorithm;

use super::harness::{World, settings};
use crate::harness::server::TestServer;

/// As the version before wrote it.
const OLDER: &str = r#"{"replica":"older","started_at":1762603200,"seen":0,"opens":[],"policy":""}"#;

fn older() -> Heartbeat {
    serde_json::from_str(OLDER).expect("a heartbeat of the version before")
}

#[tokio::test]
async fn a_server_that_is_alone_writes_new_forms_from_its_start() {
    let server = TestServer::start().await;
    for form in Capability::ALL {
        assert!(server.app.services.keys.everywhere(form), "{form:?}");
    }
    server.meet_an_older_replica().await;
    assert!(!server.app.services.keys.everywhere(Capability::SealedSteps));
    server.lose_the_older_replica().await;
    assert!(server.app.services.keys.everywhere(Capability::SealedSteps));
}

#[tokio::test]
async fn new_forms_wait_until_the_last_older_replica_is_gone() {
    let world = World::new();
    older().beat(&world.store(), world.now()).await.unwrap();
    let newer = world.replica(settings(Algorithm::ES256)).await;
    assert!(!newer.everywhere(Capability::KeyMac), "before the first look, nothing is known");
    newer.meet_replicas().await.unwrap();
    assert!(!newer.everywhere(Capability::KeyMac), "an older replica lives");
    older().stop(&world.store()).await.unwrap();
    world.clock.advance(Duration::from_secs(5));
    newer.follow_news().await.unwrap();
    assert!(newer.everywhere(Capability::KeyMac), "the older replica said good-bye");
}

#[tokio::test]
async fn an_older_replica_that_died_is_not_waited_for_longer_than_its_heartbeat() {
    let world = World::new();
    older().beat(&world.store(), world.now()).await.unwrap();
    let newer = world.replica(settings(Algorithm::ES256)).await;
    world.clock.advance(HEARTBEAT_LIFE);
    newer.follow_news().await.unwrap();
    assert!(newer.everywhere(Capability::SealedSteps));
}

#[tokio::test]
async fn an_older_replica_that_appears_brings_the_old_forms_back() {
    let world = World::new();
    let (one, other) =
        (world.replica(settings(Algorithm::ES256)).await, world.replica(settings(Algorithm::ES256)).await);
    for replica in [&one, &other] {
        replica.follow_news().await.unwrap();
        assert!(replica.everywhere(Capability::TenantCookies), "two of this version");
    }
    older().beat(&world.store(), world.now()).await.unwrap();
    world.clock.advance(Duration::from_secs(5));
    for replica in [&one, &other] {
        replica.follow_news().await.unwrap();
        assert!(!replica.everywhere(Capability::TenantCookies), "the way back from an upgrade");
    }
}

#[tokio::test]
async fn what_browsers_carry_keeps_its_old_form_until_nobody_goes_back_from_an_upgrade() {
    let world = World::new();
    older().beat(&world.store(), world.now()).await.unwrap();
    let first = world.replica(settings(Algorithm::ES256)).await;
    first.follow_news().await.unwrap();
    older().stop(&world.store()).await.unwrap();
    // It starts when no older one is left, and hears of it.
    let second = world.replica(settings(Algorithm::ES256)).await;
    for seconds in [5, 590] {
        world.clock.advance(Duration::from_secs(seconds));
        for replica in [&first, &second] {
            replica.follow_news().await.unwrap();
            assert!(replica.everywhere(Capability::KeyMac));
            assert!(!replica.everywhere(Capability::SealedSteps), "{seconds} s: the upgrade may be undone");
        }
    }
    world.clock.advance(Duration::from_secs(5));
    for replica in [&first, &second] {
        replica.follow_news().await.unwrap();
        assert!(replica.everywhere(Capability::SealedSteps), "it stays");
    }
}

#[tokio::test]
async fn a_store_that_lost_all_heartbeats_does_not_make_a_replica_believe_that_it_is_alone() {
    let world = World::new();
    older().beat(&world.store(), world.now()).await.unwrap();
    let newer = world.replica(settings(Algorithm::ES256)).await;
    newer.follow_news().await.unwrap();
    older().stop(&world.store()).await.unwrap();
    let seen = news::read(&world.store()).await.unwrap().revision;
    news::tell_everything(&world.store(), seen + 1, world.now()).await.unwrap();
    world.clock.advance(Duration::from_secs(5));
    newer.follow_news().await.unwrap();
    assert!(!newer.everywhere(Capability::KeyMac), "others may not have announced themselves again");
    world.clock.advance(HEARTBEAT_LIFE);
    newer.follow_news().await.unwrap();
    assert!(newer.everywhere(Capability::KeyMac), "by now they would have");
}

#[tokio::test]
async fn a_heartbeat_of_a_later_version_keeps_the_names_that_this_one_does_not_know() {
    let world = World::new();
    let mut later = older();
    later.understands = Capability::ALL.map(|form| form.as_str().to_owned()).into();
    later.understands.insert("what-comes-later".into());
    later.beat(&world.store(), world.now()).await.unwrap();
    let ours = world.replica(settings(Algorithm::ES256)).await;
    ours.follow_news().await.unwrap();
    assert!(ours.everywhere(Capability::KeyMac));
}
