//! Groups, page by page.

use uitsmijter::store::Change;

use super::{LONG, SHORT, groups};
use crate::store::fixture::{Fixture, OneChange, entry};

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

pub(super) async fn a_group_is_shown_page_by_page(store: &Fixture) {
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

pub(super) async fn a_page_begins_where_the_last_one_ended_though_its_last_member_is_gone(store: &Fixture) {
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

pub(super) async fn a_member_that_is_over_is_on_no_page(store: &Fixture) {
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
