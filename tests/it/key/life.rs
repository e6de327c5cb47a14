//! The life of a key on real replicas: announced, confirmed, switched, retired, dropped; and what can go wrong.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use uitsmijter::key::commands::KeyCommands;
use uitsmijter::key::custody::seal::{PrivateHalf, Sealer};
use uitsmijter::key::policy::PolicyOverrides;
use uitsmijter::key::settings::SigningSettings;
use uitsmijter::key::verify::VerifyError;
use uitsmijter::key::{SignerManager, TenantSigning};
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;
use uitsmijter::secret::Secret;

use super::harness::*;

const SECOND: Duration = Duration::from_secs(1);

async fn pass(world: &World, replicas: &[SignerManager], span: Duration) {
    world.clock.advance(span);
    for _ in 0..3 {
        for replica in replicas {
            replica.follow_news().await.unwrap();
            replica.tick().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_key_is_announced_a_day_ahead_and_followed_to_its_end() {
    let world = World::new();
    let replicas = [world.replica(settings(Algorithm::RS256)).await, world.replica(settings(Algorithm::RS256)).await];
    let (one, two) =
        (replicas[0].tenant(&tenant("shop")).await.unwrap(), replicas[1].tenant(&tenant("shop")).await.unwrap());
    let old = kids(&one)[0].clone();
    let etag = one.jwk_set().etag.clone();

    pass(&world, &replicas, 89 * DAY - SECOND).await;
    assert_eq!(kids(&one), [old.as_str()]);
    pass(&world, &replicas, SECOND).await;
    let [first, next] = <[String; 2]>::try_from(kids(&one)).unwrap();
    assert_eq!(
        (&first, header(&world.sign(&one))["kid"].as_str()),
        (&old, Some(old.as_str())),
        "announced, not signing"
    );
    assert_eq!(kids(&two), kids(&one));
    assert_ne!(one.jwk_set().etag, etag);

    let last_of_old = world.sign(&two);
    pass(&world, &replicas, DAY - SECOND).await;
    assert_eq!(header(&world.sign(&one))["kid"], old);
    world.clock.advance(SECOND);
    // The switch needs no tick: it is arithmetic.
    for signer in [&one, &two] {
        assert_eq!(header(&world.sign(signer))["kid"], next);
        assert_eq!(kids(signer), [next.as_str(), old.as_str()], "the signing key comes first");
    }
    assert_eq!(verify(&one, &last_of_old).await, Err(VerifyError::Expired));
    let retired = world.now();

    pass(&world, &replicas, 7 * DAY).await;
    assert_eq!(kids(&one).len(), 2);
    pass(&world, &replicas, Duration::from_secs(61)).await;
    assert_eq!(kids(&one), [next.as_str()]);
    assert_eq!(kids(&two), [next.as_str()]);
    assert!(world.now() > retired);
    assert!(matches!(verify(&one, &last_of_old).await, Err(VerifyError::UnknownKey(kid)) if kid == old));
}

#[tokio::test]
async fn a_replica_that_does_not_publish_the_new_key_holds_it_back() {
    let world = World::new();
    let awake = world.replica(settings(Algorithm::EdDSA)).await;
    let asleep = world.replica(settings(Algorithm::EdDSA)).await;
    let (signer, sleeper) =
        (awake.tenant(&tenant("shop")).await.unwrap(), asleep.tenant(&tenant("shop")).await.unwrap());
    world.clock.advance(89 * DAY - Duration::from_secs(60));
    asleep.follow_news().await.unwrap();
    pass(&world, std::slice::from_ref(&awake), Duration::from_secs(60)).await;
    let news = kids(&signer).len();
    assert_eq!(news, 4, "announced");
    // Its heartbeat lives for two minutes, and says that it has not seen the news.
    pass(&world, std::slice::from_ref(&awake), Duration::from_secs(50)).await;
    assert!(!world.memory.row("}keys:").contains("\"retired_at\""), "not scheduled");
    asleep.follow_news().await.unwrap();
    assert_eq!(kids(&sleeper).len(), 4);
    pass(&world, std::slice::from_ref(&awake), SECOND).await;
    assert!(world.memory.row("}keys:").contains("\"retired_at\""), "scheduled");
}

#[tokio::test]
async fn a_replica_that_is_gone_holds_nothing_back() {
    let world = World::new();
    let stays = world.replica(settings(Algorithm::EdDSA)).await;
    stays.tenant(&tenant("shop")).await.unwrap();
    for says_good_bye in [true, false] {
        let leaves = world.replica(settings(Algorithm::EdDSA)).await;
        leaves.tenant(&tenant("shop")).await.unwrap();
        if says_good_bye {
            leaves.retire().await;
        }
    }
    pass(&world, std::slice::from_ref(&stays), 89 * DAY).await;
    pass(&world, std::slice::from_ref(&stays), Duration::from_secs(121)).await;
    assert!(world.memory.row("}keys:").contains("\"retired_at\""), "scheduled");
}

#[tokio::test]
async fn a_tenant_moves_between_algorithms_without_a_token_that_caches_do_not_know() {
    let world = World::new();
    let replicas = [world.replica(settings(Algorithm::RS256)).await];
    let algorithms = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256];
    let mut before = Algorithm::RS256;
    for algorithm in algorithms {
        let wanted = TenantSigning { algorithm: Some(algorithm), ..tenant("shop") };
        let signer = replicas[0].tenant(&wanted).await.unwrap();
        let token = world.sign(&signer);
        if algorithm != before && algorithm != Algorithm::RS256 {
            assert_eq!(header(&token)["alg"], before.as_str(), "goes on for now");
        }
        pass(&world, &replicas, SECOND).await;
        assert!(verify(&signer, &token).await.is_ok());
        pass(&world, &replicas, DAY + SECOND).await;
        assert_eq!(header(&world.sign(&signer))["alg"], algorithm.as_str());
        assert_eq!(signer.id_token_algorithm(), algorithm);
        before = algorithm;
    }
}

#[tokio::test]
async fn news_reach_a_replica_by_one_question_however_many_tenants_it_has() {
    let world = World::new();
    let replica = world.replica(settings(Algorithm::EdDSA)).await;
    for number in 0..5 {
        replica.tenant(&tenant(&format!("tenant{number}"))).await.unwrap();
    }
    replica.follow_news().await.unwrap();
    let calls = world.memory.calls();
    replica.follow_news().await.unwrap();
    assert_eq!(world.memory.calls(), calls + 1);
    replica.tick().await.unwrap();
    assert_eq!(world.memory.calls(), calls + 1, "nothing is due");
}

#[tokio::test]
async fn an_emptied_store_gets_its_keys_back_from_memory() {
    let world = World::new();
    let replicas = [world.replica(settings(Algorithm::ES256)).await, world.replica(settings(Algorithm::ES256)).await];
    let (one, two) =
        (replicas[0].tenant(&tenant("shop")).await.unwrap(), replicas[1].tenant(&tenant("shop")).await.unwrap());
    pass(&world, &replicas, 89 * DAY).await;
    let (before, token) = (kids(&one), world.sign(&one));
    world.memory.clear();
    pass(&world, &replicas, SECOND).await;
    assert_eq!(HashSet::<String>::from_iter(kids(&two)), HashSet::from_iter(before.clone()));
    assert!(before.iter().all(|kid| world.memory.row("}keys:").contains(kid)));
    let late = world.replica(settings(Algorithm::ES256)).await.tenant(&tenant("shop")).await.unwrap();
    assert!(verify(&late, &token).await.is_ok());
    // Nothing is scheduled until the heartbeats of all replicas can be there again.
    pass(&world, &replicas, Duration::from_secs(60)).await;
    assert!(!world.memory.row("}keys:").contains("\"retired_at\""));
    pass(&world, &replicas, Duration::from_secs(61)).await;
    pass(&world, &replicas, DAY).await;
    assert!(!before[..2].contains(&header(&world.sign(&two))["kid"].as_str().unwrap().to_owned()), "goes on to rotate");
}

#[tokio::test]
async fn a_store_that_is_away_stops_rotation_and_nothing_else() {
    let world = World::new();
    let replica = world.replica(settings(Algorithm::EdDSA)).await;
    let signer = replica.tenant(&tenant("shop")).await.unwrap();
    let before = kids(&signer);
    world.memory.set_away(true);
    world.clock.advance(100 * DAY);
    assert!(replica.follow_news().await.is_err() && replica.tick().await.is_err());
    assert!(verify(&signer, &world.sign(&signer)).await.is_ok());
    assert_eq!(kids(&signer), before);
    world.memory.set_away(false);
    pass(&world, std::slice::from_ref(&replica), SECOND).await;
    assert_eq!(kids(&signer).len(), 4);
}

#[tokio::test]
async fn a_clock_that_jumps_back_an_hour_leaves_a_key_to_sign_with() {
    let world = World::new();
    let replicas = [world.replica(settings(Algorithm::EdDSA)).await];
    let signer = replicas[0].tenant(&tenant("shop")).await.unwrap();
    world.clock.turn_back(HOUR);
    assert!(verify(&signer, &world.sign(&signer)).await.is_ok());
    pass(&world, &replicas, 89 * DAY + HOUR).await;
    for age in [SECOND, HOUR, 2 * DAY] {
        pass(&world, &replicas, DAY + age).await;
        world.clock.turn_back(2 * DAY);
        pass(&world, &replicas, Duration::ZERO).await;
        assert!(verify(&signer, &world.sign(&signer)).await.is_ok());
        assert!(!kids(&signer).is_empty());
        world.clock.advance(2 * DAY);
    }
}

fn sealed(secrets: &[&str]) -> SigningSettings {
    let seal_secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    SigningSettings { seal_secrets, ..settings(Algorithm::ES256) }
}

#[tokio::test]
async fn private_keys_are_sealed_and_sealed_again_when_another_secret_comes_first() {
    let world = World::new();
    let plain = [world.replica(settings(Algorithm::ES256)).await];
    let token = world.sign(&plain[0].tenant(&tenant("shop")).await.unwrap());
    assert!(!world.memory.row("}keys:").contains("sealed_by"));

    let commands =
        KeyCommands::new(world.store(), sealed(&["first"]), world.clock.clone(), Arc::new(SystemRandom)).unwrap();
    assert_eq!(commands.seal(&tenant("shop")).await.unwrap().len(), 2);
    for secrets in [&["first"][..], &["second", "first"], &["second"]] {
        let replica = [world.replica(sealed(secrets)).await];
        let signer = replica[0].tenant(&tenant("shop")).await.unwrap();
        assert!(verify(&signer, &token).await.is_ok());
        let before = world.memory.row("}keys:");
        pass(&world, &replica, SECOND).await;
        assert_eq!(world.memory.row("}keys:").matches("sealed_by").count(), 2);
        assert_eq!(world.memory.row("}keys:") == before, secrets.len() == 1);
        assert!(verify(&signer, &world.sign(&signer)).await.is_ok());
    }

    let wrong = [world.replica(sealed(&["wrong"])).await];
    wrong[0].follow_news().await.unwrap();
    let before = world.memory.row("}keys:");
    let error = wrong[0].tenant(&tenant("shop")).await.err().unwrap().to_string();
    let named = commands.list(&tenant("shop")).await.unwrap().iter().any(|key| error.contains(&key.kid));
    assert!(error.contains("shop") && named && error.contains("SIGNING_KEY_SECRET"), "{error}");
    pass(&world, &wrong, 200 * DAY).await;
    assert_eq!(before, world.memory.row("}keys:"), "nothing is lost, and no key made that the others could not open");
}

#[tokio::test]
async fn the_secret_of_hs256_seals_until_there_is_another_and_opens_afterwards() {
    let world = World::new();
    let before = [world.replica(with_secret(Algorithm::RS256)).await];
    let token = world.sign(&before[0].tenant(&tenant("shop")).await.unwrap());
    assert!(world.memory.row("}keys:").contains("sealed_by"));
    let after = [world
        .replica(SigningSettings { seal_secrets: vec![Secret::new("own")], ..with_secret(Algorithm::RS256) })
        .await];
    let signer = after[0].tenant(&tenant("shop")).await.unwrap();
    assert!(verify(&signer, &token).await.is_ok());
    let row = world.memory.row("}keys:");
    pass(&world, &after, SECOND).await;
    assert_ne!(world.memory.row("}keys:"), row, "sealed again");
    assert!(verify(&signer, &world.sign(&signer)).await.is_ok());
}

#[tokio::test]
async fn rows_that_are_foreign_truncated_or_swapped_are_refused_by_name_and_left_alone() {
    let world = World::new();
    let seen = world.replica(sealed(&["secret"])).await;
    let signer = seen.tenant(&tenant("shop")).await.unwrap();
    let token = world.sign(&signer);
    let good = world.memory.row("}keys:");
    for (bad, said) in [
        (good[..good.len() / 2].to_owned(), "shop"),
        (r#"{"record":"something else"}"#.to_owned(), "shop"),
        (good.replace("\"tenant\":\"shop\"", "\"tenant\":\"bank\""), "bank"),
    ] {
        world.memory.edit("}keys:", |_| bad.clone());
        let fresh = world.replica(sealed(&["secret"])).await;
        let error = format!("{:#}", fresh.tenant(&tenant("shop")).await.err().unwrap());
        assert!(error.contains("tenant shop") && error.contains(said), "{error}");
        world.clock.advance(HOUR);
        seen.follow_news().await.unwrap();
        seen.tick().await.unwrap();
        assert_eq!(world.memory.row("}keys:"), bad, "not overwritten");
        assert_eq!(verify(&signer, &token).await.is_ok(), world.now().0 < 1_762_603_200 + 7200);
        assert_eq!(kids(&signer).len(), 2);
    }
}

#[test]
fn a_private_half_that_was_moved_or_damaged_does_not_open() {
    let sealer = Sealer::new(&[Secret::new("secret")]).unwrap();
    let half = sealer.seal("shop", "one", b"a private key", &SystemRandom).unwrap();
    assert_eq!(*sealer.open("shop", "one", &half).unwrap(), b"a private key");
    for (tenant, kid) in [("bank", "one"), ("shop", "two"), ("shopo", "ne")] {
        let error = sealer.open(tenant, kid, &half).unwrap_err().to_string();
        assert!(error.contains(tenant) && error.contains(kid) && error.contains("moved"), "{error}");
    }
    let text = serde_json::to_string(&half).unwrap();
    for damaged in [text.replace("\"data\":\"", "\"data\":\"AAAA"), text.replace("\"data\":\"", "\"data\":\"!")] {
        let damaged: PrivateHalf = serde_json::from_str(&damaged).unwrap();
        assert!(sealer.open("shop", "one", &damaged).is_err());
    }
    let short: PrivateHalf =
        serde_json::from_value(serde_json::json!({"sealed_by": serde_json::from_str::<serde_json::Value>(&text).unwrap()["sealed_by"], "data": "AA"})).unwrap();
    assert!(sealer.open("shop", "one", &short).unwrap_err().to_string().contains("damaged"));
    assert!(!format!("{half:?}").contains(text.split('"').nth(7).unwrap()));
}

#[tokio::test]
async fn a_tenant_may_have_its_own_calendar_if_it_is_reasonable() {
    let world = World::new();
    let replicas = [world.replica(settings(Algorithm::EdDSA)).await];
    let overrides = PolicyOverrides { rotate_every: Some(10 * DAY), ..Default::default() };
    let own = TenantSigning { overrides: Some(&overrides), ..tenant("shop") };
    let signer = replicas[0].tenant(&own).await.unwrap();
    pass(&world, &replicas, 9 * DAY).await;
    assert_eq!(kids(&signer).len(), 4);
    let overrides = PolicyOverrides { announce: Some(SECOND), ..Default::default() };
    let hasty = TenantSigning { overrides: Some(&overrides), ..tenant("shop") };
    let error = replicas[0].tenant(&hasty).await.err().unwrap().to_string();
    assert!(error.contains("announce: 1s") && error.contains("jwks_max_age: 1h"), "{error}");
}
