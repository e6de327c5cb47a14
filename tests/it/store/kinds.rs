//! The names under which records are stored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uitsmijter::clock::{Clock, Timestamp};
use uitsmijter::login::attempts::Limit;
use uitsmijter::store::{Record, Store};

use super::fixture::Fixture;
use crate::harness::fakes::ManualClock;

/// Every `KIND` in the sources, and the files in which it stands.
fn kinds() -> BTreeMap<String, Vec<PathBuf>> {
    let mut kinds = BTreeMap::<_, Vec<_>>::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for kind in text.split("const KIND: &'static str = \"").skip(1) {
                    kinds.entry(kind.split('"').next().unwrap().to_owned()).or_default().push(path.clone());
                }
            }
        }
    }
    kinds
}

#[test]
fn no_two_records_have_the_same_kind() {
    let kinds = kinds();
    assert!(kinds.len() > 15, "{kinds:#?}");
    for (kind, files) in &kinds {
        assert_eq!(files.len(), 1, "{kind:?} is the kind of several records: {files:?}");
    }
}

/// What a version stored whose limits had the kind of another record, too.
#[derive(Serialize, Deserialize)]
struct EarlierAttempts {
    count: u32,
    until: Timestamp,
}

impl Record for EarlierAttempts {
    const KIND: &'static str = "attempts";
}

#[tokio::test]
async fn attempts_that_an_earlier_version_counted_still_count() {
    let window = Duration::from_secs(600);
    let limit = Limit { attempts: 5, window };
    for fixture in [Fixture::memory().await, Fixture::file().await, Fixture::redis().await] {
        let clock = ManualClock::default();
        let store = Store::new(fixture.backend.clone(), Arc::new(clock.clone())).within("t");
        let until = clock.now() + window;
        store.put("mallory", &EarlierAttempts { count: 3, until }, &[], until).await.unwrap();
        for left in [true, true, false] {
            assert_eq!(limit.permits(&store, "mallory").await.unwrap(), left);
            assert_eq!(limit.take(&store, "mallory", clock.now()).await.unwrap(), left);
        }
        // A replica of that version goes on counting beside us.
        assert!(limit.take(&store, "trudy", clock.now()).await.unwrap());
        store.put("trudy", &EarlierAttempts { count: 4, until }, &[], until).await.unwrap();
        assert!(!limit.take(&store, "trudy", clock.now()).await.unwrap());
        clock.advance(window);
        assert!(limit.take(&store, "mallory", clock.now()).await.unwrap(), "the window is over");
    }
}
