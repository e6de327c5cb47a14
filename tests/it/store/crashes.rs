//! A process that writes to the store in a file without a pause, and is killed at any moment.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tokio::task::JoinSet;
use uitsmijter::store::{Backend, Change};

use super::embedded::{LONG, open_at};
use super::fixture::entry;
use crate::harness::fakes::ManualClock;

const WRITERS: u32 = 4;
const PAIRS: u32 = 200;
const GROUPS: u32 = 3;
/// How much is written by a process that is not killed.
const ROUNDS: u32 = 30;
/// Tells a process that is to be killed where its store is.
const STORE: &str = "UITSMIJTER_TEST_STORE";

fn keys(writer: u32, pair: u32) -> [String; 2] {
    ["a", "b"]
        .map(|half| format!("{{t}}{half}:{}", u64::from(writer * PAIRS + pair).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

fn group(number: u32) -> String {
    format!("{{t}}group:{}", number % GROUPS)
}

/// Puts a pair of rows, each with `number` in it, in one step.
async fn put(store: &dyn Backend, writer: u32, pair: u32, number: u32) {
    let mut value = number.to_be_bytes().to_vec();
    value.resize(length(number), 7);
    let rows = keys(writer, pair).map(|key| Change::Put(entry(&key, &value, &[group(number)], Some(LONG))));
    assert!(store.commit(rows.into()).await.unwrap());
}

fn length(number: u32) -> usize {
    1000 + (number as usize * 37) % 8000
}

fn number(value: &[u8]) -> u32 {
    u32::from_be_bytes(value[..4].try_into().unwrap())
}

/// Puts pairs in turns, and tells of each as soon as it is acknowledged.
async fn write_on(store: Arc<dyn Backend>, writer: u32, numbers: Range<u32>, tell: impl Fn(String) + Send) {
    for number in numbers {
        put(&*store, writer, pair_of(number), number).await;
        tell(format!("acknowledged {writer} {number}\n"));
    }
}

fn pair_of(number: u32) -> u32 {
    number.wrapping_mul(7919) % PAIRS
}

/// What must be in a store.
#[derive(Default)]
struct Expected {
    /// Writer and pair → the number that is there.
    pairs: HashMap<(u32, u32), u32>,
    /// What each writer is about to write, and may have written.
    next: [u32; WRITERS as usize],
    /// How much was written since the beginning.
    bytes: usize,
}

impl Expected {
    fn begin(&mut self) -> u32 {
        let first = self.next.iter().max().unwrap() + 1;
        self.next = [first; WRITERS as usize];
        self.bytes = 0;
        first
    }

    fn acknowledged(&mut self, writer: u32, number: u32) {
        self.pairs.insert((writer, pair_of(number)), number);
        self.next[writer as usize] = number + 1;
        // With what a row has besides its value.
        self.bytes += 2 * (length(number) + 98);
    }

    /// What a process has told.
    fn hear(&mut self, line: &str) {
        let Some((_, told)) = line.split_once("acknowledged ") else { return };
        let (writer, number) = told.split_once(' ').unwrap();
        self.acknowledged(writer.parse().unwrap(), number.parse().unwrap());
    }
}

/// Every pair is as it was acknowledged, or as its writer was about to make it; and it is in its group and no other.
async fn assert_nothing_is_lost(store: &dyn Backend, expected: &mut Expected) {
    let mut groups: HashMap<String, Vec<u32>> = HashMap::new();
    for writer in 0..WRITERS {
        let next = expected.next[writer as usize];
        for pair in 0..PAIRS {
            let mut found = Vec::new();
            for key in keys(writer, pair) {
                found.push(store.get(&key).await.unwrap().map(|value| number(&value)));
            }
            assert_eq!(found[0], found[1], "half of a step is there");
            if found[0] == Some(next) && pair == pair_of(next) {
                expected.pairs.insert((writer, pair), next);
            }
            assert_eq!(found[0], expected.pairs.get(&(writer, pair)).copied(), "{writer} is about to write {next}");
            found.into_iter().flatten().for_each(|number| groups.entry(group(number)).or_default().push(number));
        }
    }
    for (group, mut expected) in groups {
        let mut members: Vec<_> = store.members(&group).await.unwrap().iter().map(|value| number(value)).collect();
        members.sort_unstable();
        expected.sort_unstable();
        assert_eq!(members, expected, "of {group}");
        assert_eq!(store.count(&group).await.unwrap(), expected.len());
    }
}

/// Also the process that is killed, when it is told of a store and of a number to begin with.
#[tokio::test(flavor = "multi_thread")]
async fn what_several_write_at_once_is_there() {
    if let Some((first, path)) = std::env::var(STORE).ok().as_deref().and_then(|told| told.split_once(' ')) {
        let store = open_at(Path::new(path), &ManualClock::default()).await.unwrap();
        // Not `println!`, which a test keeps to itself.
        let tell = |line: String| std::io::stdout().write_all(line.as_bytes()).unwrap();
        tell(format!("found {}\n", store.count(&group(0)).await.unwrap()));
        return write_all(store, first.parse().unwrap()..u32::MAX, tell).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open_at(&folder.path().join("store"), &ManualClock::default()).await.unwrap();
    write_all(Arc::clone(&store), 0..ROUNDS, |_| ()).await;
    let mut expected = Expected::default();
    (0..WRITERS).for_each(|writer| (0..ROUNDS).for_each(|number| expected.acknowledged(writer, number)));
    assert_nothing_is_lost(&*store, &mut expected).await;
}

async fn write_all(store: Arc<dyn Backend>, numbers: Range<u32>, tell: impl Fn(String) + Clone + Send + 'static) {
    let writers: JoinSet<()> =
        (0..WRITERS).map(|writer| write_on(Arc::clone(&store), writer, numbers.clone(), tell.clone())).collect();
    writers.join_all().await;
}

fn start(program: &mut Command, path: &Path, first: u32) -> (Child, impl Iterator<Item = String> + use<>) {
    program.args(["--exact", "store::crashes::what_several_write_at_once_is_there"]);
    program.env(STORE, format!("{first} {}", path.display()));
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let told = BufReader::new(child.stdout.take().unwrap());
    (child, told.lines().map(Result::unwrap))
}

/// Has a process write so much, and some more, before it is killed.
fn kill_after(bytes: usize, more: usize, path: &Path, expected: &mut Expected) {
    let mut program = Command::new(std::env::current_exe().unwrap());
    let (mut child, lines) = start(&mut program, path, expected.begin());
    let mut lines = lines.filter(|line| line.contains("acknowledged "));
    while expected.bytes < bytes {
        expected.hear(&lines.next().expect("it ended by itself"));
    }
    lines.by_ref().take(more).for_each(|line| expected.hear(&line));
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said before it died.
    lines.for_each(|line| expected.hear(&line));
}

#[tokio::test]
async fn a_process_that_is_killed_again_and_again_loses_nothing_that_it_has_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut expected = Expected::default();
    // At 4 MiB the tables begin to follow the journal, and four or five times a few writes come in between.
    for (closes, bytes, more) in [
        (false, 100_000, 0),
        (true, 2 << 20, 0),
        (false, 4 << 20, 5),
        (true, 1 << 20, 0),
        (true, 4 << 20, 9),
        (false, 3 << 20, 0),
        (true, 4 << 20, 13),
        (true, 5 << 20, 0),
    ] {
        kill_after(bytes, more, &path, &mut expected);
        // If it is not closed, the next process finds the file as this one left it.
        let looked_at = if closes { path.clone() } else { folder.path().join("copy") };
        if !closes {
            std::fs::copy(&path, &looked_at).unwrap();
        }
        let store = open_at(&looked_at, &ManualClock::default()).await.unwrap();
        assert_nothing_is_lost(&*store, &mut expected).await;
        store.sweep().await.unwrap();
        assert_nothing_is_lost(&*store, &mut expected).await;
    }
}

#[tokio::test]
async fn a_process_that_finds_the_disk_full_after_a_crash_shows_all_that_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut expected = Expected::default();
    kill_after(3 << 20, 0, &path, &mut expected);
    let copy = folder.path().join("copy");
    std::fs::copy(&path, &copy).unwrap();
    let store = open_at(&copy, &ManualClock::default()).await.unwrap();
    assert_nothing_is_lost(&*store, &mut expected).await;
    let found = store.count(&group(0)).await.unwrap();

    let mut program = Command::new("bash");
    let blocks = std::fs::metadata(&path).unwrap().len() / 1024;
    program.args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &blocks.to_string()]);
    let (mut child, lines) = start(program.arg(std::env::current_exe().unwrap()), &path, expected.begin());
    let told: Vec<_> = lines.collect();
    assert!(told.iter().any(|line| line.ends_with(&format!("found {found}"))), "{told:?}");
    assert!(!child.wait().unwrap().success(), "it must have come to the end of the disk");

    told.iter().for_each(|line| expected.hear(line));
    let store = open_at(&path, &ManualClock::default()).await.unwrap();
    assert_nothing_is_lost(&*store, &mut expected).await;
}
