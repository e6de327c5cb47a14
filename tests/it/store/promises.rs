//! What every backend promises, written once and run on each of them.

use std::sync::Arc;
use std::time::Duration;

use uitsmijter::store::Change;

use super::fixture::{Fixture, OneChange, entry};

const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(60);

macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        promises!(@on memory: $($name)*);
        promises!(@on file: $($name)*);
        promises!(@on redis: $($name)*);
    };
    (@on $backend:ident: $($name:ident)*) => {
        mod $backend {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::Fixture::$backend().await).await;
            })*
        }
    };
}

promises![
    it_answers,
    what_is_put_is_found,
    a_put_replaces_value_groups_and_uses,
    consume_counts_and_shows_the_value,
    two_thousand_consumers_have_exactly_one_first,
    one_of_a_hundred_writers_replaces_the_value,
    one_of_a_hundred_writers_creates_the_value,
    compare_and_set_keeps_for_good_without_an_end,
    compare_and_set_keeps_the_count_of_uses,
    changes_happen_together_or_not_at_all,
    everything_that_a_commit_depends_on_can_stop_it,
    one_of_a_hundred_commits_uses_a_code,
    a_group_shows_its_members_and_goes_together,
    a_group_is_shown_page_by_page,
    a_page_begins_where_the_last_one_ended_though_its_last_member_is_gone,
    a_member_that_is_over_is_on_no_page,
    a_group_outlives_its_longest_member,
    a_later_shorter_member_does_not_shorten_the_group,
    a_member_that_is_prolonged_prolongs_its_group,
    what_is_removed_is_gone_from_its_groups,
    one_of_a_hundred_removers_is_told_that_it_was,
    what_is_over_is_gone_for_every_verb,
    any_bytes_can_be_stored,
    keys_may_hold_odd_characters,
    a_big_group_goes_in_one_step,
];

fn groups(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{{t}}group:{name}")).collect()
}

async fn sorted_members(store: &Fixture, group: &str) -> Vec<String> {
    let values = store.backend.members(&groups(&[group])[0]).await.unwrap();
    // Whoever counts sees what whoever lists sees.
    assert_eq!(store.backend.count(&groups(&[group])[0]).await.unwrap(), values.len());
    let mut values: Vec<String> = values.into_iter().map(|value| String::from_utf8(value).unwrap()).collect();
    values.sort();
    values
}

async fn it_answers(store: &Fixture) {
    store.backend.ping().await.unwrap();
}

async fn what_is_put_is_found(store: &Fixture) {
    assert_eq!(store.backend.get("{t}a").await.unwrap(), None);
    store.backend.put("{t}a", b"one", &[], LONG).await.unwrap();
    store.backend.put("{u}a", b"two", &[], LONG).await.unwrap();
    assert_eq!(store.backend.get("{t}a").await.unwrap().unwrap(), b"one");
    assert_eq!(store.backend.get("{u}a").await.unwrap().unwrap(), b"two");
}

async fn a_put_replaces_value_groups_and_uses(store: &Fixture) {
    store.backend.put("{t}a", b"one", &groups(&["old", "both"]), LONG).await.unwrap();
    store.backend.consume("{t}a").await.unwrap();
    store.backend.put("{t}a", b"two", &groups(&["new", "both"]), LONG).await.unwrap();
    assert_eq!(store.backend.consume("{t}a").await.unwrap().unwrap(), (1, b"two".to_vec()));
    assert!(sorted_members(store, "old").await.is_empty());
    assert_eq!(sorted_members(store, "both").await, ["two"]);
    assert_eq!(sorted_members(store, "new").await, ["two"]);
}

async fn consume_counts_and_shows_the_value(store: &Fixture) {
    assert_eq!(store.backend.consume("{t}a").await.unwrap(), None);
    store.backend.put("{t}a", b"code", &[], LONG).await.unwrap();
    for count in 1..=3 {
        assert_eq!(store.backend.consume("{t}a").await.unwrap().unwrap(), (count, b"code".to_vec()));
    }
    assert_eq!(store.backend.get("{t}a").await.unwrap().unwrap(), b"code");
}

async fn two_thousand_consumers_have_exactly_one_first(store: &Fixture) {
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

async fn one_of_a_hundred_writers_replaces_the_value(store: &Fixture) {
    assert!(winners(store, Some(b"start")).await.is_empty(), "nothing is not the expected value");
    store.backend.put("{t}a", b"start", &[], LONG).await.unwrap();
    let winners = winners(store, Some(b"start")).await;
    assert_eq!(winners.len(), 1);
    let value = store.backend.get("{t}a").await.unwrap().unwrap();
    assert_eq!(value, format!("writer {}", winners[0]).as_bytes());
}

async fn one_of_a_hundred_writers_creates_the_value(store: &Fixture) {
    assert_eq!(winners(store, None).await.len(), 1);
    assert!(winners(store, None).await.is_empty());
    assert_eq!(store.backend.consume("{t}a").await.unwrap().unwrap().0, 1);
}

async fn compare_and_set_keeps_for_good_without_an_end(store: &Fixture) {
    store.backend.put("{t}a", b"one", &groups(&["g"]), SHORT).await.unwrap();
    assert!(store.backend.compare_and_set("{t}a", Some(b"one"), b"two", &groups(&["g"]), None).await.unwrap());
    store.let_pass(SHORT).await;
    assert_eq!(store.backend.get("{t}a").await.unwrap().unwrap(), b"two");
    assert_eq!(sorted_members(store, "g").await, ["two"]);
    assert!(store.backend.compare_and_set("{t}a", Some(b"two"), b"three", &[], Some(SHORT)).await.unwrap());
    store.let_pass(SHORT).await;
    assert_eq!(store.backend.get("{t}a").await.unwrap(), None, "it has an end again");
}

async fn compare_and_set_keeps_the_count_of_uses(store: &Fixture) {
    store.backend.put("{t}a", b"one", &groups(&["g"]), LONG).await.unwrap();
    store.backend.consume("{t}a").await.unwrap();
    let same = groups(&["g"]);
    assert!(store.backend.compare_and_set("{t}a", Some(b"one"), b"two", &same, Some(LONG)).await.unwrap());
    assert!(!store.backend.compare_and_set("{t}a", Some(b"one"), b"three", &[], Some(LONG)).await.unwrap());
    assert_eq!(store.backend.consume("{t}a").await.unwrap().unwrap(), (2, b"two".to_vec()));
    assert_eq!(sorted_members(store, "g").await, ["two"], "a change that did not happen leaves no group");
}

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

async fn changes_happen_together_or_not_at_all(store: &Fixture) {
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

async fn everything_that_a_commit_depends_on_can_stop_it(store: &Fixture) {
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

async fn one_of_a_hundred_commits_uses_a_code(store: &Fixture) {
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

async fn a_group_shows_its_members_and_goes_together(store: &Fixture) {
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

/// What the pages of a group show after `after`.
async fn pages(store: &Fixture, mut after: Option<String>, limit: usize) -> Vec<Vec<u8>> {
    let (group, mut shown) = (&groups(&["g"])[0], Vec::new());
    loop {
        let page = store.backend.page(group, after.as_deref(), limit).await.unwrap();
        assert!(page.members.len() <= limit, "{page:?}");
        shown.extend(page.members);
        after = page.next;
        if after.is_none() {
            return shown;
        }
    }
}

/// Puts members 10 to 39 into a group, of which every third is kept for good and two more end in the same moment.
async fn put_thirty(store: &Fixture) -> Vec<Vec<u8>> {
    let keep = |number: u32| (!number.is_multiple_of(3)).then_some(LONG * (1 + number % 2));
    let put = |number: u32| {
        let value = number.to_string();
        Change::Put(entry(&format!("{{t}}{number}"), value.as_bytes(), &groups(&["g", "h"]), keep(number)))
    };
    assert!(store.backend.commit((10..40).map(put).collect()).await.unwrap());
    store.backend.put("{t}other", b"other", &groups(&["gg"]), LONG).await.unwrap();
    (10..40).map(|number| number.to_string().into_bytes()).collect()
}

async fn a_group_is_shown_page_by_page(store: &Fixture) {
    assert!(pages(store, None, 3).await.is_empty());
    let all = put_thirty(store).await;
    for limit in [1, 2, 7, 29, 30, 31, 1000] {
        let shown = pages(store, None, limit).await;
        assert_eq!(shown, pages(store, None, limit).await, "the order is the same every time");
        let mut sorted = shown.clone();
        sorted.sort();
        assert_eq!(sorted, all, "pages of {limit}");
        let first = store.backend.page(&groups(&["g"])[0], None, limit).await.unwrap();
        assert_eq!(first.members, shown[..limit.min(30)], "pages of {limit}");
        assert_eq!(first.next.is_some(), limit <= 30, "pages of {limit}");
    }
}

async fn a_page_begins_where_the_last_one_ended_though_its_last_member_is_gone(store: &Fixture) {
    put_thirty(store).await;
    let shown = pages(store, None, 30).await;
    for at in 1..30 {
        put_thirty(store).await;
        let order = pages(store, None, 30).await;
        let page = store.backend.page(&groups(&["g"])[0], None, at).await.unwrap();
        let gone = String::from_utf8(order[at - 1].clone()).unwrap();
        assert!(store.backend.remove(&format!("{{t}}{gone}")).await.unwrap());
        assert_eq!(pages(store, page.next.clone(), 4).await, order[at..], "after {at} of {shown:?}");
        // What comes meanwhile and lies before is on no later page; what is there is there once.
        store.backend.put("{t}0", b"0", &groups(&["g"]), SHORT).await.unwrap();
        assert_eq!(pages(store, page.next, 4).await, order[at..], "after {at}");
        store.backend.remove("{t}0").await.unwrap();
    }
}

async fn a_member_that_is_over_is_on_no_page(store: &Fixture) {
    for number in 0..10 {
        let keep = if number % 2 == 0 { LONG } else { SHORT };
        store.backend.put(&format!("{{t}}{number}"), &[number], &groups(&["g"]), keep).await.unwrap();
    }
    let first = store.backend.page(&groups(&["g"])[0], None, 2).await.unwrap();
    store.let_pass(SHORT).await;
    let shown = |mut members: Vec<Vec<u8>>| {
        members.sort();
        members.concat()
    };
    assert_eq!(shown(pages(store, None, 3).await), [0, 2, 4, 6, 8]);
    let late = first.members.into_iter().filter(|member| member[0] % 2 == 0);
    let all = late.chain(pages(store, first.next, 2).await).collect();
    assert_eq!(shown(all), [0, 2, 4, 6, 8]);
}

async fn a_group_outlives_its_longest_member(store: &Fixture) {
    store.backend.put("{t}short", b"short", &groups(&["g"]), SHORT).await.unwrap();
    store.backend.put("{t}long", b"long", &groups(&["g"]), LONG).await.unwrap();
    store.let_pass(SHORT).await;
    assert_eq!(sorted_members(store, "g").await, ["long"]);
    store.backend.remove_group(&groups(&["g"])[0]).await.unwrap();
    assert_eq!(store.backend.get("{t}long").await.unwrap(), None);
}

async fn a_later_shorter_member_does_not_shorten_the_group(store: &Fixture) {
    store.backend.put("{t}long", b"long", &groups(&["g"]), LONG).await.unwrap();
    store.backend.put("{t}short", b"short", &groups(&["g"]), SHORT).await.unwrap();
    assert_eq!(sorted_members(store, "g").await, ["long", "short"]);
    store.let_pass(SHORT).await;
    assert_eq!(sorted_members(store, "g").await, ["long"]);
}

async fn a_member_that_is_prolonged_prolongs_its_group(store: &Fixture) {
    store.backend.put("{t}a", b"one", &groups(&["g"]), SHORT).await.unwrap();
    let changed = store.backend.compare_and_set("{t}a", Some(b"one"), b"two", &groups(&["g", "h"]), Some(LONG)).await;
    assert!(changed.unwrap());
    store.let_pass(SHORT).await;
    assert_eq!(sorted_members(store, "g").await, ["two"]);
    assert_eq!(sorted_members(store, "h").await, ["two"], "a change may join a group");
    assert!(store.backend.compare_and_set("{t}a", Some(b"two"), b"three", &[], Some(LONG)).await.unwrap());
    assert!(sorted_members(store, "g").await.is_empty(), "a change may leave a group");
}

async fn what_is_removed_is_gone_from_its_groups(store: &Fixture) {
    store.backend.remove("{t}a").await.unwrap();
    store.backend.put("{t}a", b"one", &groups(&["g"]), LONG).await.unwrap();
    store.backend.remove("{t}a").await.unwrap();
    assert_eq!(store.backend.get("{t}a").await.unwrap(), None);
    assert_eq!(store.backend.consume("{t}a").await.unwrap(), None);
    store.backend.put("{t}a", b"two", &[], LONG).await.unwrap();
    assert!(sorted_members(store, "g").await.is_empty());
}

async fn one_of_a_hundred_removers_is_told_that_it_was(store: &Fixture) {
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

async fn what_is_over_is_gone_for_every_verb(store: &Fixture) {
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

async fn any_bytes_can_be_stored(store: &Fixture) {
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

async fn keys_may_hold_odd_characters(store: &Fixture) {
    for odd in ["", " ", "*", "[a-z]?", "\"quoted\"\\", "new\nline", "null\0", "äöü 漢字 🦀", "a:b/c{d}e"] {
        let (key, group) = (format!("{{t}}key {odd}"), format!("{{t}}group {odd}"));
        store.backend.put(&key, odd.as_bytes(), std::slice::from_ref(&group), LONG).await.unwrap();
        assert_eq!(store.backend.get(&key).await.unwrap().unwrap(), odd.as_bytes(), "{odd:?}");
        assert_eq!(store.backend.members(&group).await.unwrap(), [odd.as_bytes()], "{odd:?}");
        store.backend.remove(&key).await.unwrap();
        assert!(store.backend.members(&group).await.unwrap().is_empty(), "{odd:?}");
    }
}

async fn a_big_group_goes_in_one_step(store: &Fixture) {
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
