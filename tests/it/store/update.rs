//! Records that many change at the same time.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use uitsmijter::clock::{Clock, Timestamp};
use uitsmijter::protocol::scope::Scope;
use uitsmijter::session::consent::Consent;
use uitsmijter::store::{Contended, Record, Replacement, Store, TRIES, group};

use super::fixture::Fixture;
use crate::harness::fakes::ManualClock;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tally {
    marks: u32,
}

impl Record for Tally {
    const KIND: &'static str = "tally";
}

const LIFE: Duration = Duration::from_secs(60);

async fn stores() -> Vec<(Store, ManualClock, Fixture)> {
    let fixtures = [Fixture::memory().await, Fixture::file().await, Fixture::redis().await];
    let stored = |fixture: Fixture| {
        let clock = ManualClock::default();
        (Store::new(fixture.backend.clone(), Arc::new(clock.clone())).within("t"), clock, fixture)
    };
    fixtures.into_iter().map(stored).collect()
}

fn marked(before: Option<&Tally>, until: Timestamp) -> Replacement<Tally> {
    Replacement::until(until, Tally { marks: before.map_or(0, |tally| tally.marks) + 1 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_who_change_a_record_at_once_everybody_counts() {
    for (store, clock, _fixture) in stores().await {
        let until = clock.now() + LIFE;
        let changes = (0..50).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.update("id", |tally| Some(marked(tally, until))).await.unwrap() })
        });
        for change in changes.collect::<Vec<_>>() {
            assert!(change.await.unwrap());
        }
        assert_eq!(store.get("id").await.unwrap(), Some(Tally { marks: 50 }));
    }
}

#[tokio::test]
async fn a_change_may_leave_a_record_alone_or_join_groups_and_end_with_them() {
    for (store, clock, _fixture) in stores().await {
        assert!(!store.update("id", |tally: Option<&Tally>| tally.map(|_| unreachable!())).await.unwrap());
        assert_eq!(store.get::<Tally>("id").await.unwrap(), None);
        let groups = vec![group("wall", "1")];
        let until = clock.now() + LIFE;
        let write = |tally: Option<&Tally>| Some(Replacement { groups: groups.clone(), ..marked(tally, until) });
        assert!(store.update("id", write).await.unwrap());
        assert_eq!(store.members::<Tally>(&groups[0]).await.unwrap(), [Tally { marks: 1 }]);
        clock.advance(LIFE);
        assert!(store.update("id", write).await.unwrap(), "an expired record is no record");
        store.remove_group(&groups[0]).await.unwrap();
        assert_eq!(store.get::<Tally>("id").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_record_that_others_change_every_time_is_contended() {
    let clock = ManualClock::default();
    let store = Store::new(Fixture::memory().await.backend, Arc::new(clock.clone())).within("t");
    let (until, tries) = (clock.now() + LIFE, Cell::new(0));
    let overtaken = |tally: Option<&Tally>| {
        tries.set(tries.get() + 1);
        store.put("id", &marked(tally, until).record, &[], until).now_or_never().unwrap().unwrap();
        Some(marked(tally, until))
    };
    let error = store.update("id", overtaken).await.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Contended::of::<Tally>()));
    assert_eq!(error.to_string(), "a stored tally changes too fast; tried 100 times");
    assert_eq!(tries.get(), TRIES);
    assert_eq!(store.get("id").await.unwrap(), Some(Tally { marks: 100 }), "what the others wrote");
    assert_eq!(Contended::or(7, Err(error)).unwrap(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_consents_in_two_tabs_none_is_lost() {
    for (store, clock, _fixture) in stores().await {
        let now = clock.now();
        let scopes: Vec<Scope> = (0..20).map(|tab| Scope::from(format!("tab{tab}"))).collect();
        let tabs = scopes.clone().into_iter().map(|scope| {
            let store = store.clone();
            tokio::spawn(async move { Consent::remember(&store, "ada", "reader", scope, now).await.unwrap() })
        });
        for tab in tabs.collect::<Vec<_>>() {
            tab.await.unwrap();
        }
        for scope in scopes {
            assert!(Consent::covers(&store, "ada", "reader", &scope).await.unwrap(), "{scope}");
        }
    }
}
