//! One record: what is put, used, replaced and removed.

use super::{LONG, SHORT, groups, sorted_members};
use crate::store::fixture::{Fixture, OneChange};

pub(super) async fn it_answers(store: &Fixture) {
    store.backend.ping().await.unwrap();
}

pub(super) async fn what_is_put_is_found(store: &Fixture) {
    assert_eq!(store.backend.get("{t}a").await.unwrap(), None);
    store.backend.put("{t}a", b"one", &[], LONG).await.unwrap();
    store.backend.put("{u}a", b"two", &[], LONG).await.unwrap();
    assert_eq!(store.backend.get("{t}a").await.unwrap().unwrap(), b"one");
    assert_eq!(store.backend.get("{u}a").await.unwrap().unwrap(), b"two");
}

pub(super) async fn consume_counts_and_shows_the_value(store: &Fixture) {
    assert_eq!(store.backend.consume("{t}a").await.unwrap(), None);
    store.backend.put("{t}a", b"code", &[], LONG).await.unwrap();
    for count in 1..=3 {
        assert_eq!(store.backend.consume("{t}a").await.unwrap().unwrap(), (count, b"code".to_vec()));
    }
    assert_eq!(store.backend.get("{t}a").await.unwrap().unwrap(), b"code");
}

pub(super) async fn two_thousand_consumers_have_exactly_one_first(store: &Fixture) {
    store.backend.put("{t}a", b"code", &[], LONG).await.unwrap();
    let consumers: Vec<_> = (0..2000)
        .map(|_| {
            let backend = store.backend.clone();
            tokio::spawn(async move { backend.consume("{t}a").await.unwrap().unwrap().0 })
        })
        .collect();
    let mut counts = Vec::new();
    for consumer in consumers {
        counts.push(consumer.await.unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=2000).collect::<Vec<u64>>());
}

async fn winners(store: &Fixture, expected: Option<&'static [u8]>) -> Vec<usize> {
    let writers: Vec<_> = (0..100)
        .map(|writer: usize| {
            let backend = store.backend.clone();
            let value = format!("writer {writer}");
            tokio::spawn(async move {
                backend.compare_and_set("{t}a", expected, value.as_bytes(), &[], Some(LONG)).await.unwrap()
            })
        })
        .collect();
    let mut winners = Vec::new();
    for (writer, outcome) in writers.into_iter().enumerate() {
        if outcome.await.unwrap() {
            winners.push(writer);
        }
    }
    winners
}

pub(super) async fn one_of_a_hundred_writers_replaces_the_value(store: &Fixture) {
    assert!(winners(store, Some(b"start")).await.is_empty(), "nothing is not the expected value");
    store.backend.put("{t}a", b"start", &[], LONG).await.unwrap();
    let winners = winners(store, Some(b"start")).await;
    assert_eq!(winners.len(), 1);
    let value = store.backend.get("{t}a").await.unwrap().unwrap();
    assert_eq!(value, format!("writer {}", winners[0]).as_bytes());
}

pub(super) async fn one_of_a_hundred_writers_creates_the_value(store: &Fixture) {
    assert_eq!(winners(store, None).await.len(), 1);
    assert!(winners(store, None).await.is_empty());
    assert_eq!(store.backend.consume("{t}a").await.unwrap().unwrap().0, 1);
}

pub(super) async fn compare_and_set_keeps_for_good_without_an_end(store: &Fixture) {
    store.backend.put("{t}a", b"one", &groups(&["g"]), SHORT).await.unwrap();
    assert!(store.backend.compare_and_set("{t}a", Some(b"one"), b"two", &groups(&["g"]), None).await.unwrap());
    store.let_pass(SHORT).await;
    assert_eq!(store.backend.get("{t}a").await.unwrap().unwrap(), b"two");
    assert_eq!(sorted_members(store, "g").await, ["two"]);
    assert!(store.backend.compare_and_set("{t}a", Some(b"two"), b"three", &[], Some(SHORT)).await.unwrap());
    store.let_pass(SHORT).await;
    assert_eq!(store.backend.get("{t}a").await.unwrap(), None, "it has an end again");
}

pub(super) async fn compare_and_set_keeps_the_count_of_uses(store: &Fixture) {
    store.backend.put("{t}a", b"one", &groups(&["g"]), LONG).await.unwrap();
    store.backend.consume("{t}a").await.unwrap();
    let same = groups(&["g"]);
    assert!(store.backend.compare_and_set("{t}a", Some(b"one"), b"two", &same, Some(LONG)).await.unwrap());
    assert!(!store.backend.compare_and_set("{t}a", Some(b"one"), b"three", &[], Some(LONG)).await.unwrap());
    assert_eq!(store.backend.consume("{t}a").await.unwrap().unwrap(), (2, b"two".to_vec()));
    assert_eq!(sorted_members(store, "g").await, ["two"], "a change that did not happen leaves no group");
}

pub(super) async fn one_of_a_hundred_removers_is_told_that_it_was(store: &Fixture) {
    store.backend.put("{t}a", b"one", &[], LONG).await.unwrap();
    let removers = (0..100).map(|_| {
        let backend = store.backend.clone();
        tokio::spawn(async move { backend.remove("{t}a").await.unwrap() })
    });
    let mut told = 0;
    for remover in removers.collect::<Vec<_>>() {
        told += usize::from(remover.await.unwrap());
    }
    assert_eq!(told, 1);
}

pub(super) async fn what_is_over_is_gone_for_every_verb(store: &Fixture) {
    store.backend.put("{t}a", b"one", &groups(&["g"]), SHORT).await.unwrap();
    assert_eq!(store.backend.get("{t}a").await.unwrap().unwrap(), b"one");
    store.let_pass(SHORT).await;
    assert_eq!(store.backend.get("{t}a").await.unwrap(), None);
    assert_eq!(store.backend.consume("{t}a").await.unwrap(), None);
    assert!(!store.backend.remove("{t}a").await.unwrap());
    assert!(sorted_members(store, "g").await.is_empty());
    assert!(!store.backend.compare_and_set("{t}a", Some(b"one"), b"two", &[], None).await.unwrap());
    assert!(store.backend.compare_and_set("{t}a", None, b"two", &[], None).await.unwrap());
    assert!(sorted_members(store, "g").await.is_empty(), "a new record is not in the groups of an old one");
}

pub(super) async fn any_bytes_can_be_stored(store: &Fixture) {
    let big: Vec<u8> = (0..1 << 20).map(|index: u32| (index % 251) as u8).collect();
    for value in [&b""[..], b"\0", b"\xff\xfe\r\n$-1\r\n", &big] {
        store.backend.put("{t}a", value, &groups(&["g"]), LONG).await.unwrap();
        assert!(store.backend.get("{t}a").await.unwrap().as_deref() == Some(value));
        assert!(store.backend.members(&groups(&["g"])[0]).await.unwrap() == [value]);
        assert!(store.backend.consume("{t}a").await.unwrap().unwrap().1 == value);
        assert!(store.backend.compare_and_set("{t}a", Some(value), value, &[], Some(LONG)).await.unwrap());
        assert!(!store.backend.compare_and_set("{t}a", None, value, &[], Some(LONG)).await.unwrap());
    }
}

pub(super) async fn keys_may_hold_odd_characters(store: &Fixture) {
    for odd in ["", " ", "*", "[a-z]?", "\"quoted\"\\", "new\nline", "null\0", "äöü 漢字 🦀", "a:b/c{d}e"] {
        let (key, group) = (format!("{{t}}key {odd}"), format!("{{t}}group {odd}"));
        store.backend.put(&key, odd.as_bytes(), std::slice::from_ref(&group), LONG).await.unwrap();
        assert_eq!(store.backend.get(&key).await.unwrap().unwrap(), odd.as_bytes(), "{odd:?}");
        assert_eq!(store.backend.members(&group).await.unwrap(), [odd.as_bytes()], "{odd:?}");
        store.backend.remove(&key).await.unwrap();
        assert!(store.backend.members(&group).await.unwrap().is_empty(), "{odd:?}");
    }
}
