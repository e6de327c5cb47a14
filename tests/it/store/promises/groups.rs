//! Groups, and how long they live.

use super::{LONG, SHORT, groups, sorted_members};
use crate::store::fixture::{Fixture, OneChange};

pub(super) async fn a_put_replaces_value_groups_and_uses(store: &Fixture) {
    store.backend.put("{t}a", b"one", &groups(&["old", "both"]), LONG).await.unwrap();
    store.backend.consume("{t}a").await.unwrap();
    store.backend.put("{t}a", b"two", &groups(&["new", "both"]), LONG).await.unwrap();
    assert_eq!(store.backend.consume("{t}a").await.unwrap().unwrap(), (1, b"two".to_vec()));
    assert!(sorted_members(store, "old").await.is_empty());
    assert_eq!(sorted_members(store, "both").await, ["two"]);
    assert_eq!(sorted_members(store, "new").await, ["two"]);
}

pub(super) async fn a_group_shows_its_members_and_goes_together(store: &Fixture) {
    assert!(sorted_members(store, "g").await.is_empty());
    store.backend.put("{t}other", b"other", &groups(&["gg"]), LONG).await.unwrap();
    for (key, value, names) in [("{t}a", "a", &["g"][..]), ("{t}b", "b", &["g", "h"]), ("{t}c", "c", &["h"])] {
        store.backend.put(key, value.as_bytes(), &groups(names), LONG).await.unwrap();
    }
    assert_eq!(sorted_members(store, "g").await, ["a", "b"]);
    assert_eq!(sorted_members(store, "h").await, ["b", "c"]);
    store.backend.remove_group(&groups(&["g"])[0]).await.unwrap();
    assert!(sorted_members(store, "g").await.is_empty());
    assert_eq!(sorted_members(store, "h").await, ["c"]);
    assert_eq!(store.backend.get("{t}a").await.unwrap(), None);
    assert_eq!(store.backend.get("{t}b").await.unwrap(), None);
    assert_eq!(store.backend.get("{t}c").await.unwrap().unwrap(), b"c");
    assert_eq!(sorted_members(store, "gg").await, ["other"], "a name that begins alike is another group");
    store.backend.put("{t}b", b"again", &[], LONG).await.unwrap();
    assert_eq!(sorted_members(store, "h").await, ["c"], "a removed key does not remember its groups");
}

pub(super) async fn a_group_outlives_its_longest_member(store: &Fixture) {
    store.backend.put("{t}short", b"short", &groups(&["g"]), SHORT).await.unwrap();
    store.backend.put("{t}long", b"long", &groups(&["g"]), LONG).await.unwrap();
    store.let_pass(SHORT).await;
    assert_eq!(sorted_members(store, "g").await, ["long"]);
    store.backend.remove_group(&groups(&["g"])[0]).await.unwrap();
    assert_eq!(store.backend.get("{t}long").await.unwrap(), None);
}

pub(super) async fn a_later_shorter_member_does_not_shorten_the_group(store: &Fixture) {
    store.backend.put("{t}long", b"long", &groups(&["g"]), LONG).await.unwrap();
    store.backend.put("{t}short", b"short", &groups(&["g"]), SHORT).await.unwrap();
    assert_eq!(sorted_members(store, "g").await, ["long", "short"]);
    store.let_pass(SHORT).await;
    assert_eq!(sorted_members(store, "g").await, ["long"]);
}

pub(super) async fn a_member_that_is_prolonged_prolongs_its_group(store: &Fixture) {
    store.backend.put("{t}a", b"one", &groups(&["g"]), SHORT).await.unwrap();
    let changed = store.backend.compare_and_set("{t}a", Some(b"one"), b"two", &groups(&["g", "h"]), Some(LONG)).await;
    assert!(changed.unwrap());
    store.let_pass(SHORT).await;
    assert_eq!(sorted_members(store, "g").await, ["two"]);
    assert_eq!(sorted_members(store, "h").await, ["two"], "a change may join a group");
    assert!(store.backend.compare_and_set("{t}a", Some(b"two"), b"three", &[], Some(LONG)).await.unwrap());
    assert!(sorted_members(store, "g").await.is_empty(), "a change may leave a group");
}

pub(super) async fn what_is_removed_is_gone_from_its_groups(store: &Fixture) {
    store.backend.remove("{t}a").await.unwrap();
    store.backend.put("{t}a", b"one", &groups(&["g"]), LONG).await.unwrap();
    store.backend.remove("{t}a").await.unwrap();
    assert_eq!(store.backend.get("{t}a").await.unwrap(), None);
    assert_eq!(store.backend.consume("{t}a").await.unwrap(), None);
    store.backend.put("{t}a", b"two", &[], LONG).await.unwrap();
    assert!(sorted_members(store, "g").await.is_empty());
}

pub(super) async fn a_big_group_goes_in_one_step(store: &Fixture) {
    let puts = (0..3000).map(|index| {
        let backend = store.backend.clone();
        tokio::spawn(async move { backend.put(&format!("{{t}}{index}"), b"v", &groups(&["g"]), LONG).await.unwrap() })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap();
    }
    let group = &groups(&["g"])[0];
    assert_eq!(store.backend.members(group).await.unwrap().len(), 3000);
    store.backend.remove_group(group).await.unwrap();
    assert!(store.backend.members(group).await.unwrap().is_empty());
    assert_eq!(store.backend.get("{t}0").await.unwrap(), None);
}
