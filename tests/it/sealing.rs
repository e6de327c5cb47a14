//! What is sealed opens on every replica, also while the secret changes, and nowhere else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use uitsmijter::random::SystemRandom;
use uitsmijter::sealing::{Configured, Purpose, Sealing};
use uitsmijter::secret::Secret;
use uitsmijter::store::Store;
use uitsmijter::store::memory::Memory;

use crate::harness::fakes::ManualClock;

const OLD: &str = "the old secret, of 32 bytes or more";
const NEW: &str = "the new secret, of 32 bytes or more";

/// One store and its replicas.
struct World {
    clock: ManualClock,
    store: Store,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::default();
        let store = Store::new(Arc::new(Memory::new(Arc::new(clock.clone()))), Arc::new(clock.clone()));
        Self { clock, store }
    }

    fn replica(&self, secrets: &[&str]) -> Sealing {
        let named =
            |secret: &&str| Configured { name: secret.chars().skip(4).take(8).collect(), secret: Secret::new(*secret) };
        let secrets: Vec<Configured> = secrets.iter().map(named).collect();
        Sealing::new(self.store.clone(), &secrets, Arc::new(self.clock.clone()), Arc::new(SystemRandom)).unwrap()
    }
}

fn names(secrets: &[&str]) -> BTreeSet<String> {
    secrets.iter().map(|secret| secret.chars().skip(4).take(8).collect()).collect()
}

async fn seal(sealing: &Sealing, everywhere: &[&str]) -> String {
    sealing.seal(Purpose::Steps, b"a step", b"context", &names(everywhere)).await.unwrap()
}

async fn opens(sealing: &Sealing, sealed: &str) -> bool {
    let opened = sealing.open(Purpose::Steps, sealed, b"context").await.unwrap();
    assert!(opened.as_deref().is_none_or(|plain| plain == b"a step"));
    opened.is_some()
}

#[tokio::test]
async fn without_a_configured_secret_all_replicas_share_one_of_the_store() {
    let world = World::new();
    let (one, other) = (world.replica(&[]), world.replica(&[]));
    let (from_one, from_other) = tokio::join!(seal(&one, &[]), seal(&other, &[]));
    assert!(opens(&one, &from_other).await && opens(&other, &from_one).await);
    assert_ne!(from_one, seal(&one, &[]).await, "never twice the same");
    assert!(opens(&world.replica(&[]), &from_one).await, "also after a restart");
    assert_eq!(one.digest(b"x", b"y").await.unwrap(), other.digest(b"x", b"y").await.unwrap());
    assert_ne!(one.digest(b"x", b"y").await.unwrap(), one.digest(b"z", b"y").await.unwrap());
}

#[tokio::test]
async fn nothing_opens_in_another_context_or_changed() {
    let world = World::new();
    let replica = world.replica(&[OLD]);
    let sealed = seal(&replica, &[OLD]).await;
    assert!(opens(&replica, &sealed).await);
    for other in [&b"contexts"[..], b"", b"contex"] {
        assert_eq!(replica.open(Purpose::Steps, &sealed, other).await.unwrap(), None);
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone().into_bytes();
        changed[at] = if changed[at] == b'Q' { b'g' } else { b'Q' };
        assert!(!opens(&replica, std::str::from_utf8(&changed).unwrap()).await, "{at}");
    }
    for odd in ["", ".", "a.b", &sealed[..20], &format!("{sealed}A")] {
        assert!(!opens(&replica, odd).await, "{odd}");
    }
}

#[tokio::test]
async fn a_change_of_the_secret_is_followed_and_waits_for_the_last_replica() {
    let world = World::new();
    let (before, changed) = (world.replica(&[OLD]), world.replica(&[NEW, OLD]));
    let old = seal(&before, &[OLD]).await;
    assert!(opens(&changed, &old).await, "the former secret still opens");
    let between = seal(&changed, &[OLD]).await;
    assert!(opens(&before, &between).await, "a replica that has only the old one opens it");
    let new = seal(&changed, &[NEW, OLD]).await;
    assert!(!opens(&before, &new).await);
    assert!(opens(&world.replica(&[NEW]), &new).await);
    assert!(!opens(&world.replica(&[NEW]), &old).await, "a secret that leaked is gone");
}

#[tokio::test]
async fn the_first_secret_and_the_last_one_are_changes_too() {
    let world = World::new();
    let (without, with) = (world.replica(&[]), world.replica(&[NEW]));
    let (kept, sealed) = (seal(&without, &[]).await, seal(&with, &[]).await);
    assert!(opens(&with, &kept).await && opens(&without, &sealed).await);
    assert!(!opens(&without, &seal(&with, &[NEW]).await).await);
}

#[tokio::test]
async fn a_secret_that_can_be_guessed_does_not_seal() {
    let world = World::new();
    let (short, without) = (world.replica(&["a short one"]), world.replica(&[]));
    assert!(opens(&without, &seal(&short, &["a short one"]).await).await);
}

#[tokio::test]
async fn a_store_that_was_emptied_gets_its_secret_back_or_brings_all_to_a_new_one() {
    let world = World::new();
    let (one, other) = (world.replica(&[]), world.replica(&[]));
    let sealed = seal(&one, &[]).await;
    // Another replica starts on the emptied store before the first one has noticed.
    assert!(opens(&other, &sealed).await);
    let lost = world.store.remove::<Lost>("steps").await.unwrap();
    assert!(lost, "the record is called as an operator finds it in the store");
    let fresh = world.replica(&[]);
    let new = seal(&fresh, &[]).await;
    assert!(!opens(&one, &new).await, "it has looked a moment ago");
    world.clock.advance(Duration::from_secs(5));
    assert!(opens(&one, &new).await);
    assert!(opens(&one, &sealed).await, "what was sealed before still opens here");
    assert!(opens(&fresh, &seal(&one, &[]).await).await, "from here on all seal with the new one");
    world.store.remove::<Lost>("steps").await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let again = seal(&one, &[]).await;
    assert!(opens(&world.replica(&[]), &again).await, "whoever seals next puts it back");
}

/// The record, by its name alone.
#[derive(serde::Serialize, serde::Deserialize)]
struct Lost {}

impl uitsmijter::store::Record for Lost {
    const KIND: &'static str = "sealing-secret";
}
