//! What strangers leave behind has a bound, and a flood drives out its own.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uitsmijter::clock::Clock;
use uitsmijter::random::Random;
use uitsmijter::store::slots::{SAFE, Slots, Wish};
use uitsmijter::store::{Record, Store};

use super::fixture::Fixture;
use crate::harness::fakes::{CountingRandom, ManualClock};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Litter;

impl Record for Litter {
    const KIND: &'static str = "litter";
}

const SLOTS: Slots = Slots { name: "litter", first: 0, number: 256, share: 16 };
const LIFE: Duration = Duration::from_secs(60 * 60);

/// A store, and who leaves what in it.
struct Street {
    store: Store,
    clock: ManualClock,
    left: Vec<String>,
    random: CountingRandom,
    _fixture: Fixture,
}

impl Street {
    async fn all() -> Vec<Self> {
        let fixtures = [Fixture::memory().await, Fixture::file().await, Fixture::redis().await];
        let street = |fixture: Fixture| {
            let clock = ManualClock::default();
            let store = Store::new(fixture.backend.clone(), Arc::new(clock.clone())).within("t");
            Self { store, clock, left: Vec::new(), random: CountingRandom::default(), _fixture: fixture }
        };
        fixtures.into_iter().map(street).collect()
    }

    async fn leave(&mut self, who: u8) -> Option<String> {
        let id = self.random.identifier();
        let until = self.clock.now() + LIFE;
        let wish = Wish { who: [who; 32], begin: u32::try_from(self.left.len()).unwrap(), id: &id, until };
        let taken = SLOTS
            .take(&self.store, wish, self.clock.now(), |batch, place| {
                let batch = batch.put(&id, &Litter, &[], until)?;
                Ok(place.former.into_iter().fold(batch, |batch, former| batch.remove::<Litter>(former)))
            })
            .await
            .unwrap();
        self.left.push(id.clone());
        taken.then_some(id)
    }

    async fn lies(&self, id: &str) -> bool {
        self.store.get::<Litter>(id).await.unwrap().is_some()
    }

    async fn lying(&self) -> usize {
        let mut lying = 0;
        for id in &self.left {
            lying += usize::from(self.lies(id).await);
        }
        lying
    }
}

#[tokio::test]
async fn a_flood_of_one_leaves_no_more_than_its_share_and_the_last_is_there() {
    for mut street in Street::all().await {
        for _ in 0..200 {
            let id = street.leave(1).await.expect("one's own place is always given");
            assert!(street.lies(&id).await);
        }
        let lying = street.lying().await;
        assert!((1..=16).contains(&lying), "{lying}");
    }
}

#[tokio::test]
async fn a_flood_of_one_drives_nobody_else_out() {
    for mut street in Street::all().await {
        let mine = street.leave(2).await.expect("an empty street");
        for _ in 0..200 {
            street.leave(1).await;
        }
        assert!(street.lies(&mine).await);
        assert!(street.leave(3).await.is_some(), "there is room for others");
    }
}

#[tokio::test]
async fn when_everybody_comes_there_is_a_bound_and_the_old_make_room() {
    for mut street in Street::all().await {
        let mut refused = 0;
        for who in 0..=255 {
            for _ in 0..8 {
                refused += usize::from(street.leave(who).await.is_none());
            }
        }
        assert!(refused > 0, "what others have just left is safe");
        let lying = street.lying().await;
        assert!((128..=256).contains(&lying), "{lying}");
        street.clock.advance(SAFE);
        assert!(street.leave(7).await.is_some());
        assert!(street.lying().await <= 256);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_come_at_once_do_not_get_the_same_place() {
    let narrow = Slots { number: 1, ..SLOTS };
    for street in Street::all().await {
        let until = street.clock.now() + LIFE;
        let comers = (0..8_u8).map(|who| {
            let store = street.store.clone();
            let now = street.clock.now();
            tokio::spawn(async move {
                let id = who.to_string();
                let wish = Wish { who: [who; 32], begin: 0, id: &id, until };
                narrow.take(&store, wish, now, |batch, _| batch.put(&id, &Litter, &[], until)).await.unwrap()
            })
        });
        let mut given = 0;
        for comer in comers.collect::<Vec<_>>() {
            given += usize::from(comer.await.unwrap());
        }
        assert_eq!(given, 1);
    }
}

#[tokio::test]
async fn what_somebody_vouches_for_stays_when_its_place_is_given_to_others() {
    let narrow = Slots { number: 1, ..SLOTS };
    for street in Street::all().await {
        let (store, now, until) = (&street.store, street.clock.now(), street.clock.now() + LIFE);
        let leave = async |id: &str| {
            let wish = Wish { who: [1; 32], begin: 0, id, until };
            let taken = narrow.take(store, wish, now, |batch, place| {
                let batch = batch.put(id, &Litter, &[], until)?;
                Ok(place.former.into_iter().fold(batch, |batch, former| batch.remove::<Litter>(former)))
            });
            assert!(taken.await.unwrap());
        };
        leave("first").await;
        narrow.release(store, 0, "another").await.unwrap();
        narrow.release(store, 0, "first").await.unwrap();
        leave("second").await;
        leave("third").await;
        assert!(street.lies("first").await && street.lies("third").await);
        assert!(!street.lies("second").await);
    }
}
