//! The typed handle: expiry by the injected clock, tenants apart, versions side by side.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uitsmijter::clock::Clock;
use uitsmijter::store::{Consumed, Record, Store, group};

use super::fixture::Fixture;
use crate::harness::fakes::ManualClock;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cheese {
    name: String,
}

impl Record for Cheese {
    const KIND: &'static str = "cheese";
}

const LIFE: Duration = Duration::from_secs(60);

fn cheese(name: &str) -> Cheese {
    Cheese { name: name.to_owned() }
}

async fn fixtures() -> [Fixture; 3] {
    [Fixture::memory().await, Fixture::file().await, Fixture::redis().await]
}

#[tokio::test]
async fn the_clock_decides_what_has_expired_though_the_backend_still_has_it() {
    for fixture in fixtures().await {
        let (clock, behind) = (ManualClock::default(), ManualClock::default());
        let store = Store::new(fixture.backend.clone(), Arc::new(clock.clone())).within("t");
        let store_behind = Store::new(fixture.backend.clone(), Arc::new(behind)).within("t");
        let groups = [group("box", "1")];
        store.put("id", &cheese("gouda"), &groups, clock.now() + LIFE).await.unwrap();
        clock.advance(LIFE - Duration::from_secs(1));
        assert_eq!(store.get::<Cheese>("id").await.unwrap(), Some(cheese("gouda")));
        clock.advance(Duration::from_secs(1));
        assert_eq!(store.get::<Cheese>("id").await.unwrap(), None);
        assert!(store.members::<Cheese>(&groups[0]).await.unwrap().is_empty());
        assert!(store.consume::<Cheese>("id").await.unwrap().is_none());
        assert_eq!(store_behind.get::<Cheese>("id").await.unwrap(), Some(cheese("gouda")), "the backend has it");

        assert!(store.replace("id", None, &cheese("edam"), &[], None).await.unwrap(), "an expired record is no record");
        assert!(!store.replace("id", None, &cheese("brie"), &[], None).await.unwrap());
        assert_eq!(store.get::<Cheese>("id").await.unwrap(), Some(cheese("edam")));
    }
}

#[tokio::test]
async fn the_first_use_is_told_from_every_other() {
    for fixture in fixtures().await {
        let clock = ManualClock::default();
        let store = Store::new(fixture.backend.clone(), Arc::new(clock.clone())).within("t");
        store.put("id", &cheese("gouda"), &[], clock.now() + LIFE).await.unwrap();
        assert!(matches!(store.consume("id").await.unwrap(), Some(Consumed::First(Cheese { .. }))));
        assert!(matches!(store.consume("id").await.unwrap(), Some(Consumed::Again(Cheese { .. }))));
        assert!(store.consume::<Cheese>("unknown").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn no_tenant_sees_or_removes_what_belongs_to_another() {
    for fixture in fixtures().await {
        let clock = ManualClock::default();
        let server = Store::new(fixture.backend.clone(), Arc::new(clock.clone()));
        let (cheese_shop, ham_shop) = (server.within("cheese"), server.within("ham"));
        let groups = [group("box", "1")];
        cheese_shop.put("id", &cheese("gouda"), &groups, clock.now() + LIFE).await.unwrap();
        for other in [&ham_shop, &server] {
            assert_eq!(other.get::<Cheese>("id").await.unwrap(), None);
            assert!(other.consume::<Cheese>("id").await.unwrap().is_none());
            assert!(other.members::<Cheese>(&groups[0]).await.unwrap().is_empty());
            other.remove::<Cheese>("id").await.unwrap();
            other.remove_group(&groups[0]).await.unwrap();
        }
        assert_eq!(cheese_shop.members::<Cheese>(&groups[0]).await.unwrap(), [cheese("gouda")]);
        cheese_shop.remove_group(&groups[0]).await.unwrap();
        assert_eq!(cheese_shop.get::<Cheese>("id").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_replacement_needs_what_was_loaded() {
    for fixture in fixtures().await {
        let clock = ManualClock::default();
        let store = Store::new(fixture.backend.clone(), Arc::new(clock.clone())).within("t");
        assert!(store.replace("id", None, &cheese("gouda"), &[], None).await.unwrap());
        let loaded = store.load::<Cheese>("id").await.unwrap().unwrap();
        assert!(store.replace("id", Some(&loaded), &cheese("edam"), &[], None).await.unwrap());
        assert!(!store.replace("id", Some(&loaded), &cheese("brie"), &[], None).await.unwrap());
        assert_eq!(store.get::<Cheese>("id").await.unwrap(), Some(cheese("edam")));
    }
}

#[tokio::test]
async fn a_record_of_a_newer_version_can_still_be_read() {
    #[derive(Serialize, Deserialize)]
    struct NewCheese {
        name: String,
        holes: u32,
    }
    impl Record for NewCheese {
        const KIND: &'static str = "cheese";
    }
    let clock = ManualClock::default();
    let store = Store::new(Fixture::memory().await.backend, Arc::new(clock.clone())).within("t");
    let new = NewCheese { name: "emmental".to_owned(), holes: 7 };
    store.put("id", &new, &[], clock.now() + LIFE).await.unwrap();
    assert_eq!(store.get::<Cheese>("id").await.unwrap(), Some(cheese("emmental")));
}
