//! What operators do and watch: `uitsmijter keys`, and metrics.

use std::sync::Arc;

use serde_json::json;
use uitsmijter::key::commands::{KeyCommands, Start};
use uitsmijter::key::record::State;
use uitsmijter::key::signer_manager::{Extras, SignerManager};
use uitsmijter::key::verify::VerifyError;
use uitsmijter::metrics::{Metrics, Status};
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;

use super::harness::*;

fn commands(world: &World, algorithm: Algorithm) -> KeyCommands {
    KeyCommands::new(world.store(), settings(algorithm), world.clock.clone(), Arc::new(SystemRandom)).unwrap()
}

async fn states(commands: &KeyCommands) -> Vec<State> {
    commands.list(&tenant("shop")).await.unwrap().into_iter().map(|key| key.state).collect()
}

async fn everybody(replicas: &[&SignerManager]) {
    for _ in 0..3 {
        for replica in replicas {
            replica.follow_news().await.unwrap();
            replica.tick().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_rotation_by_hand_is_announced_like_any_other() {
    let world = World::new();
    let (one, two) = (world.replica(settings(Algorithm::RS256)).await, world.replica(settings(Algorithm::RS256)).await);
    let signer = one.tenant(&tenant("shop")).await.unwrap();
    two.tenant(&tenant("shop")).await.unwrap();
    let commands = commands(&world, Algorithm::RS256);
    let rotated = commands.rotate(&tenant("shop"), Start::Announced).await.unwrap();
    assert!(!rotated[0].was_announced);
    assert!(commands.rotate(&tenant("shop"), Start::Announced).await.unwrap()[0].was_announced, "only one at a time");
    assert_eq!(states(&commands).await, [State::Signing, State::Announced]);
    everybody(&[&one]).await;
    let listed = commands.list(&tenant("shop")).await.unwrap();
    assert_eq!(listed[1].waits_for.len(), 1, "the other replica has not read the news");
    everybody(&[&one, &two]).await;
    let listed = commands.list(&tenant("shop")).await.unwrap();
    assert_eq!(listed[1].signs_from, Some(world.now() + DAY));
    assert_eq!(listed[0].retired_at, listed[1].signs_from);
    assert!(listed[0].safe_to_drop_at > listed[0].retired_at);
    world.clock.advance(DAY);
    assert_eq!(header(&world.sign(&signer))["kid"], rotated[0].kid);
    let json = serde_json::to_value(commands.list(&tenant("shop")).await.unwrap()).unwrap();
    assert_eq!((&json[0]["state"], &json[1]["state"]), (&json!("signing"), &json!("retired")));
}

#[tokio::test]
async fn a_rotation_at_once_signs_as_soon_as_a_replica_hears_of_it() {
    let world = World::new();
    let replica = world.replica(settings(Algorithm::EdDSA)).await;
    let signer = replica.tenant(&tenant("shop")).await.unwrap();
    let token = world.sign(&signer);
    let commands = commands(&world, Algorithm::EdDSA);
    let rotated = commands.rotate(&tenant("shop"), Start::Now).await.unwrap();
    replica.follow_news().await.unwrap();
    let new: Vec<&str> = rotated.iter().map(|rotated| rotated.kid.as_str()).collect();
    assert!(new.contains(&header(&world.sign(&signer))["kid"].as_str().unwrap()));
    assert!(verify(&signer, &token).await.is_ok(), "the old one goes on verifying");
    assert_eq!(kids(&signer).len(), 4);
}

#[tokio::test]
async fn a_revoked_key_is_out_at_once_and_another_signs() {
    let world = World::new();
    let replica = world.replica(settings(Algorithm::RS256)).await;
    let signer = replica.tenant(&tenant("shop")).await.unwrap();
    let (token, old) = (world.sign(&signer), kids(&signer)[0].clone());
    let commands = commands(&world, Algorithm::RS256);
    let successor = commands.revoke(&tenant("shop"), &old).await.unwrap().unwrap();
    replica.follow_news().await.unwrap();
    assert_eq!(kids(&signer), [successor.as_str()]);
    assert_eq!(verify(&signer, &token).await, Err(VerifyError::UnknownKey(old.clone())));
    assert_eq!(header(&world.sign(&signer))["kid"], successor);
    assert_eq!(commands.export(&tenant("shop")).await.unwrap(), jwks(&signer));
    assert_eq!(states(&commands).await, [State::Signing, State::Revoked]);
    assert_eq!(commands.revoke(&tenant("shop"), &old).await.unwrap(), None, "twice is no harm");
    let error = commands.revoke(&tenant("shop"), "2020-01-01").await.unwrap_err().to_string();
    assert!(error.contains("shop") && error.contains("2020-01-01"), "{error}");
}

#[tokio::test]
async fn a_revoked_successor_leaves_the_signing_key_in_office() {
    let world = World::new();
    let replica = world.replica(settings(Algorithm::RS256)).await;
    let signer = replica.tenant(&tenant("shop")).await.unwrap();
    let old = kids(&signer)[0].clone();
    let commands = commands(&world, Algorithm::RS256);
    let next = commands.rotate(&tenant("shop"), Start::Announced).await.unwrap()[0].kid.clone();
    everybody(&[&replica]).await;
    assert_eq!(commands.revoke(&tenant("shop"), &next).await.unwrap(), None);
    replica.follow_news().await.unwrap();
    world.clock.advance(2 * DAY);
    assert_eq!(header(&world.sign(&signer))["kid"], old);
}

#[tokio::test]
async fn metrics_tell_what_operators_watch() {
    let world = World::new();
    let metrics = Metrics::default();
    let extras = Extras { metrics: metrics.clone(), ..Extras::default() };
    let replica = SignerManager::open_with(
        world.store(),
        settings(Algorithm::RS256),
        world.clock.clone(),
        Arc::new(SystemRandom),
        extras,
    )
    .await
    .unwrap();
    let signer = replica.tenant(&tenant("shop")).await.unwrap();
    let kid = kids(&signer)[0].clone();
    (0..3).for_each(|_| drop(world.sign(&signer)));
    metrics.jwks_requests.get_or_create(&Status { status: 200 }).inc();
    world.clock.advance(HOUR);
    everybody(&[&replica]).await;
    let text = metrics.encode().unwrap();
    for line in [
        format!(r#"uitsmijter_signing_key_age_seconds{{tenant="shop",kid="{kid}",state="signing"}} 3600"#),
        r#"uitsmijter_signing_key_next_rotation_timestamp_seconds{tenant="shop"} 1770379200"#.into(),
        format!(r#"uitsmijter_signing_key_last_expiry_timestamp_seconds{{tenant="shop",kid="{kid}"}} 1762614000"#),
        format!(r#"uitsmijter_tokens_signed_total{{tenant="shop",kid="{kid}",alg="RS256"}} 3"#),
        r#"uitsmijter_key_rotations_total{tenant="shop",reason="first"} 1"#.into(),
        r#"uitsmijter_key_replicas_unconfirmed{tenant="shop"} 0"#.into(),
        r#"uitsmijter_jwks_requests_total{status="200"} 1"#.into(),
        "uitsmijter_store_up 1".into(),
        "uitsmijter_keys_sealed 0".into(),
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line}\n\n{text}");
    }
    world.memory.set_away(true);
    assert!(replica.follow_news().await.is_err());
    assert!(metrics.encode().unwrap().contains("uitsmijter_store_up 0\n"));
}

#[tokio::test]
async fn an_order_to_sign_at_once_is_counted_by_exactly_one_replica() {
    let world = World::new();
    let (mut replicas, mut counters) = (Vec::new(), Vec::new());
    for host in ["b", "a", "c"] {
        let metrics = Metrics::default();
        let extras = Extras { metrics: metrics.clone(), host: Some(host.into()) };
        let (clock, random) = (world.clock.clone(), Arc::new(SystemRandom));
        let opened = SignerManager::open_with(world.store(), settings(Algorithm::RS256), clock, random, extras);
        replicas.push(opened.await.unwrap());
        counters.push(metrics);
    }
    for replica in &replicas {
        replica.tenant(&tenant("shop")).await.unwrap();
        replica.follow_news().await.unwrap();
    }
    let commands = commands(&world, Algorithm::RS256);
    commands.rotate(&tenant("shop"), Start::Now).await.unwrap();
    everybody(&replicas.iter().collect::<Vec<_>>()).await;
    let kid = commands.list(&tenant("shop")).await.unwrap()[0].kid.clone();
    commands.revoke(&tenant("shop"), &kid).await.unwrap();
    everybody(&replicas.iter().collect::<Vec<_>>()).await;
    let count = |metrics: &Metrics| {
        let text = metrics.encode().unwrap();
        let line = text.lines().find(|line| line.contains(r#"rotations_total{tenant="shop",reason="operator"}"#));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap())
    };
    assert_eq!(counters.iter().map(count).collect::<Vec<_>>(), [0, 2, 0]);
}
