//! What every backend promises, written once and run on each of them.

use std::time::Duration;

mod commits;
mod groups;
mod pages;
mod records;

use super::fixture::Fixture;
use commits::*;
use groups::*;
use pages::*;
use records::*;

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
