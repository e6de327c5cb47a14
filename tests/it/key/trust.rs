//! Secrets that differ: only a process that can open the stored keys makes another, and a key waits for every replica.

use std::sync::Arc;
use std::time::Duration;

use uitsmijter::key::commands::{KeyCommands, Start};
use uitsmijter::key::custody::Custody;
use uitsmijter::key::settings::SigningSettings;
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;
use uitsmijter::secret::Secret;

use super::harness::*;
use crate::harness::lines::{self, Lines};

fn sealed(secrets: &[&str]) -> SigningSettings {
    let seal_secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    SigningSettings { seal_secrets, ..settings(Algorithm::RS256) }
}

fn commands(world: &World, secrets: &[&str]) -> KeyCommands {
    KeyCommands::new(world.store(), sealed(secrets), world.clock.clone(), Arc::new(SystemRandom)).unwrap()
}

#[tokio::test]
async fn a_command_that_cannot_open_what_is_there_makes_no_key_and_says_which_it_cannot_open() {
    let world = World::new();
    let replica = world.replica(sealed(&["of the servers"])).await;
    let kid = kids(&replica.tenant(&tenant("shop")).await.unwrap())[0].clone();
    let before = world.memory.row("}keys:");
    for secrets in [&["another"][..], &[]] {
        let commands = commands(&world, secrets);
        for start in [Start::Announced, Start::Now] {
            let error = commands.rotate(&tenant("shop"), start).await.unwrap_err().to_string();
            assert!(error.contains("shop") && error.contains(&kid) && error.contains("SIGNING_KEY_SECRET"), "{error}");
        }
        let error = commands.revoke(&tenant("shop"), &kid).await.unwrap_err().to_string();
        assert!(error.contains("shop") && error.contains(&kid), "{error}");
        assert_eq!(world.memory.row("}keys:"), before, "nothing was changed");
    }
    let rotated = commands(&world, &["another", "of the servers"]).rotate(&tenant("shop"), Start::Announced).await;
    assert!(!rotated.unwrap()[0].was_announced);
}

#[tokio::test]
async fn a_key_that_cannot_be_opened_here_is_listed_as_such_and_not_logged_as_signing() {
    lines::heed_every_thread();
    let world = World::new();
    world.replica(sealed(&["of the servers"])).await.tenant(&tenant("shop")).await.unwrap();
    for (secrets, why) in
        [(&["another"][..], "that is not in SIGNING_KEY_SECRET"), (&[], "SIGNING_KEY_SECRET is not set here")]
    {
        let lines = Lines::default();
        let _guard = tracing::subscriber::set_default(tracing_subscriber::fmt().with_writer(lines.clone()).finish());
        let strange = world.replica(sealed(secrets)).await;
        assert!(!strange.tenant(&tenant("shop")).await.unwrap().can_sign());
        let log = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
        assert!(log.contains(why) && !log.contains("is being used for signing"), "{log}");
        let listed = commands(&world, secrets).list(&tenant("shop")).await.unwrap();
        assert_eq!(listed[0].opens, Some(false), "{listed:?}");
    }
    assert_eq!(commands(&world, &["of the servers"]).list(&tenant("shop")).await.unwrap()[0].opens, Some(true));
}

#[tokio::test]
async fn a_key_that_a_living_replica_cannot_open_waits_for_it() {
    let world = World::new();
    let able = world.replica(sealed(&["new", "old"])).await;
    let strange = world.replica(sealed(&["old"])).await;
    let idle = world.replica(sealed(&["old"])).await;
    able.tenant(&tenant("shop")).await.unwrap();
    strange.tenant(&tenant("shop")).await.unwrap();
    // It has not used the tenant yet, and may do so at any moment.
    idle.follow_news().await.unwrap();
    let everybody = async |span: Duration| {
        world.clock.advance(span);
        for _ in 0..3 {
            for replica in [&strange, &idle, &able] {
                // Replicas that cannot open it do not tick for it either.
                replica.follow_news().await.unwrap();
            }
            able.tick().await.unwrap();
        }
    };
    everybody(89 * DAY).await;
    let listed = commands(&world, &["new", "old"]).list(&tenant("shop")).await.unwrap();
    assert_eq!((listed.len(), listed[1].waits_for.len()), (2, 2), "{listed:?}");
    everybody(DAY).await;
    assert!(!world.memory.row("}keys:").contains("retired_at"), "not scheduled");
    idle.retire().await;
    everybody(DAY).await;
    assert!(!world.memory.row("}keys:").contains("retired_at"), "not scheduled");
    strange.retire().await;
    world.clock.advance(DAY);
    able.follow_news().await.unwrap();
    able.tick().await.unwrap();
    assert!(world.memory.row("}keys:").contains("retired_at"), "scheduled");
}

#[tokio::test]
async fn a_replica_with_another_secret_makes_no_keys_that_earlier_ones_cannot_open() {
    let world = World::new();
    let able = world.replica(sealed(&["of the servers"])).await;
    able.tenant(&tenant("shop")).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let stranger = world.replica(sealed(&["another"])).await;
    stranger.tenant(&tenant("shop")).await.expect("what it cannot open it can publish");
    let error = stranger.tenant(&tenant("bank")).await.err().expect("no keys").to_string();
    assert!(error.contains("bank") && error.contains("SIGNING_KEY_SECRET"), "{error}");
    assert!(!stranger.has_keys("bank").await.unwrap());
    // A new first secret is fine while the old one follows it; and a stranger holds up nobody else.
    world.clock.advance(Duration::from_secs(1));
    let next = world.replica(sealed(&["next", "of the servers"])).await;
    next.tenant(&tenant("club")).await.unwrap();
    able.tenant(&tenant("bank")).await.unwrap();
    assert!(stranger.has_keys("bank").await.unwrap());
}

#[tokio::test]
async fn a_stored_key_whose_halves_do_not_belong_together_is_named_by_tenant_and_kid() {
    let world = World::new();
    let custody = Custody::new(&settings(Algorithm::EdDSA), Arc::new(SystemRandom)).unwrap();
    let mut key = custody.make("shop", Algorithm::EdDSA, 60, world.now()).await.unwrap();
    assert!(custody.open("shop", &key).unwrap().is_some());
    key.private = custody.make("shop", Algorithm::EdDSA, 60, world.now()).await.unwrap().private;
    let error = custody.open("shop", &key).err().unwrap().to_string();
    assert!(error.contains("shop") && error.contains(key.kid()) && error.contains("do not belong"), "{error}");
}
