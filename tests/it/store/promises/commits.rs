//! Changes that happen together.

use std::sync::Arc;

use uitsmijter::store::Change;

use super::{LONG, groups, sorted_members};
use crate::store::fixture::{Fixture, OneChange, entry};

/// A change of every kind, the last of which depends on `expected`.
fn one_of_each(expected: &[u8]) -> Arc<[Change]> {
    Arc::new([
        Change::Remove("{t}removed".to_owned()),
        Change::Put(entry("{t}put", b"put", &groups(&["g"]), Some(LONG))),
        Change::Replace { expected: None, entry: entry("{t}created", b"created", &groups(&["g", "h"]), None) },
        Change::UseFirst("{t}code".to_owned()),
        Change::Require("{t}required".to_owned()),
        Change::Take { key: "{t}taken".to_owned(), expected: b"taken".to_vec() },
        Change::Replace {
            expected: Some(expected.to_vec()),
            entry: entry("{t}replaced", b"after", &groups(&["h"]), Some(LONG)),
        },
    ])
}

/// Puts everything there that [`one_of_each`] depends on.
async fn set_up(store: &Fixture) {
    store.backend.remove("{t}created").await.unwrap();
    for (name, group) in [("removed", "h"), ("code", "c"), ("required", "r"), ("taken", "h"), ("replaced", "g")] {
        store.backend.put(&format!("{{t}}{name}"), name.as_bytes(), &groups(&[group]), LONG).await.unwrap();
    }
}

async fn values(store: &Fixture) -> Vec<String> {
    let mut values = Vec::new();
    for name in ["removed", "put", "created", "code", "required", "taken", "replaced"] {
        let value = store.backend.get(&format!("{{t}}{name}")).await.unwrap();
        values.push(String::from_utf8(value.unwrap_or_default()).unwrap());
    }
    values
}

pub(super) async fn changes_happen_together_or_not_at_all(store: &Fixture) {
    set_up(store).await;
    assert!(!store.backend.commit(one_of_each(b"something else")).await.unwrap());
    assert_eq!(values(store).await, ["removed", "", "", "code", "required", "taken", "replaced"]);
    assert_eq!(sorted_members(store, "g").await, ["replaced"]);
    assert_eq!(sorted_members(store, "h").await, ["removed", "taken"]);

    assert!(store.backend.commit(one_of_each(b"replaced")).await.unwrap());
    assert_eq!(values(store).await, ["", "put", "created", "code", "required", "", "after"]);
    assert_eq!(sorted_members(store, "g").await, ["created", "put"]);
    assert_eq!(sorted_members(store, "h").await, ["after", "created"]);
    assert_eq!(sorted_members(store, "r").await, ["required"]);
    assert_eq!(store.backend.consume("{t}code").await.unwrap().unwrap().0, 2, "it was used");
    assert_eq!(store.backend.consume("{t}required").await.unwrap().unwrap().0, 1, "it was not");
}

pub(super) async fn everything_that_a_commit_depends_on_can_stop_it(store: &Fixture) {
    let put = async |key: &str, value: &[u8]| store.backend.put(key, value, &[], LONG).await.unwrap();
    for what_is_wrong in ["a use", "no code", "nothing required", "nothing taken", "another taken", "a created"] {
        set_up(store).await;
        match what_is_wrong {
            "a use" => drop(store.backend.consume("{t}code").await.unwrap()),
            "no code" => drop(store.backend.remove("{t}code").await.unwrap()),
            "nothing required" => drop(store.backend.remove("{t}required").await.unwrap()),
            "nothing taken" => drop(store.backend.remove("{t}taken").await.unwrap()),
            "another taken" => put("{t}taken", b"another").await,
            _ => put("{t}created", b"before").await,
        }
        let before = values(store).await;
        assert!(!store.backend.commit(one_of_each(b"replaced")).await.unwrap(), "{what_is_wrong}");
        assert_eq!(values(store).await, before, "{what_is_wrong}");
    }
    set_up(store).await;
    assert!(store.backend.commit(one_of_each(b"replaced")).await.unwrap());
}

pub(super) async fn one_of_a_hundred_commits_uses_a_code(store: &Fixture) {
    store.backend.put("{t}code", b"code", &[], LONG).await.unwrap();
    let commits = (0..100).map(|commit| {
        let backend = store.backend.clone();
        let put = Change::Put(entry(&format!("{{t}}{commit}"), b"token", &groups(&["g"]), Some(LONG)));
        tokio::spawn(async move { backend.commit([put, Change::UseFirst("{t}code".to_owned())].into()).await.unwrap() })
    });
    let mut used = 0;
    for commit in commits.collect::<Vec<_>>() {
        used += usize::from(commit.await.unwrap());
    }
    assert_eq!((used, sorted_members(store, "g").await.len()), (1, 1));
}
