//! Random histories on the store in a file, compared with those of a plain map: restarts, crashes and the moments in
//! which the tables follow the journal make no difference.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::task::JoinSet;
use uitsmijter::store::settings::StoreSettings;
use uitsmijter::store::{Backend, Change, open};

use super::embedded::open_at;
use super::fixture::entry;
use crate::harness::fakes::ManualClock;

const KEYS: [&str; 5] = ["{t}a", "{t}b", "{t}b/c", "{t}d", "{u}a"];
const GROUPS: [&str; 3] = ["{t}group:1", "{t}group:2", "{u}group:1"];

/// So many rows are not made in the tables at once.
const MANY: usize = 1_200;

#[derive(Clone, Debug)]
enum Step {
    Put {
        key: usize,
        value: u8,
        groups: u8,
        seconds: u16,
    },
    PutFor2 {
        keys: [usize; 2],
        expected: u8,
        value: u8,
        groups: u8,
    },
    Consume(usize),
    UseFirst(usize),
    Remove(usize),
    RemoveGroup(usize),
    Pass(u16),
    Sweep,
    /// One that others do not wait for, with so much to do that they come in between.
    LongSweep,
    Restart,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..KEYS.len();
    prop_oneof![
        4 => (key(), 0..3_u8, 0..8_u8, 1..100_u16)
            .prop_map(|(key, value, groups, seconds)| Step::Put { key, value, groups, seconds }),
        3 => (key(), 1..KEYS.len(), 0..3_u8, 0..3_u8, 0..8_u8).prop_map(|(key, other, expected, value, groups)| {
            Step::PutFor2 { keys: [key, (key + other) % KEYS.len()], expected, value, groups }
        }),
        2 => key().prop_map(Step::Consume),
        1 => key().prop_map(Step::UseFirst),
        2 => key().prop_map(Step::Remove),
        1 => (0..GROUPS.len()).prop_map(Step::RemoveGroup),
        2 => (0..60_u16).prop_map(Step::Pass),
        2 => Just(Step::Sweep),
        2 => Just(Step::LongSweep),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

fn groups(which: u8) -> Vec<String> {
    let chosen = GROUPS.iter().enumerate().filter(|(bit, _)| which >> bit & 1 == 1);
    chosen.map(|(_, group)| (*group).to_owned()).collect()
}

/// What a step answers, and what everybody sees after it.
async fn seen_after(store: &dyn Backend, step: &Step) -> anyhow::Result<String> {
    let answer = match step {
        Step::Put { key, value, groups: of, seconds } => {
            let keep = Some(Duration::from_secs((*seconds).into()));
            let put = Change::Put(entry(KEYS[*key], &[*value], &groups(*of), keep));
            format!("{}", store.commit([put].into()).await?)
        }
        Step::PutFor2 { keys: [first, second], expected, value, groups: of } => {
            let changed = entry(KEYS[*first], &[*value], &groups(*of), None);
            let expected = expected.checked_sub(1).map(|value| vec![value]);
            let changes = [Change::Replace { expected, entry: changed }, Change::Remove(KEYS[*second].to_owned())];
            format!("{}", store.commit(changes.into()).await?)
        }
        Step::Consume(key) => format!("{:?}", store.consume(KEYS[*key]).await?),
        Step::UseFirst(key) => {
            format!("{}", store.commit([Change::UseFirst(KEYS[*key].to_owned())].into()).await?)
        }
        Step::Remove(key) => format!("{}", store.remove(KEYS[*key]).await?),
        Step::RemoveGroup(group) => format!("{:?}", store.remove_group(GROUPS[*group]).await?),
        Step::Sweep => format!("{:?}", store.sweep().await?),
        Step::LongSweep | Step::Pass(_) | Step::Restart | Step::Crash => String::new(),
    };
    let mut seen = vec![answer];
    for key in KEYS {
        seen.push(format!("{key} {:?}", store.get(key).await?));
    }
    for group in GROUPS {
        let mut members = store.members(group).await?;
        members.sort();
        seen.push(format!("{group} {members:?}"));
        let mut page = store.page(group, None, 2).await?;
        let mut shown = std::mem::take(&mut page.members);
        while let Some(after) = page.next {
            page = store.page(group, Some(&after), 2).await?;
            shown.append(&mut page.members);
        }
        seen.push(format!("{group} page by page {shown:?}"));
    }
    Ok(seen.join("\n"))
}

async fn live_through(history: &[Step]) {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let map = open(&StoreSettings::default(), Arc::new(clock.clone())).await.unwrap();
    let mut path = folder.path().join("store");
    let mut file = open_at(&path, &clock).await.unwrap();
    let mut sweeps: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for (number, step) in history.iter().enumerate() {
        if matches!(step, Step::Restart | Step::Crash) {
            while let Some(swept) = sweeps.join_next().await {
                swept.unwrap().unwrap();
            }
        }
        match step {
            Step::Pass(seconds) => clock.advance(Duration::from_secs((*seconds).into())),
            Step::LongSweep => {
                let others = (0..MANY).map(|other| Change::Put(entry(&format!("{{t}}{other}"), b"", &[], None)));
                assert!(file.commit(others.collect()).await.unwrap());
                let file = Arc::clone(&file);
                sweeps.spawn(async move { file.sweep().await });
            }
            Step::Restart => {
                drop(file);
                file = open_at(&path, &clock).await.unwrap();
            }
            Step::Crash => {
                // As a process finds the file that starts after this one was killed.
                let found = folder.path().join(number.to_string());
                std::fs::copy(&path, &found).unwrap();
                path = found;
                file = open_at(&path, &clock).await.unwrap();
            }
            _ => {}
        }
        let expected = seen_after(&*map, step).await.unwrap();
        assert_eq!(seen_after(&*file, step).await.unwrap(), expected, "after step {number}, {step:?}");
    }
}

#[test]
fn a_file_shows_what_a_map_shows_through_restarts_and_crashes() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    let histories = proptest::collection::vec(step(), 1..60);
    let outcome = runner.run(&histories, |history| {
        runtime.block_on(live_through(&history));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
