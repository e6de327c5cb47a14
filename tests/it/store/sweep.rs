//! How the store in a file gets rid of what has ended.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition, TableHandle};
use uitsmijter::clock::Clock;

use super::embedded::{LONG, open_at};
use super::fixture::OneChange;
use crate::harness::fakes::ManualClock;

#[tokio::test]
async fn a_sweep_drops_what_is_overdue_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let clock = ManualClock::default();
    let store = open_at(&path, &clock).await.unwrap();
    let big = vec![7; 100_000];
    for round in 0..10 {
        for key in 0..20 {
            store.put(&format!("{{t}}{round}-{key}"), &big, &["{t}g".to_owned()], LONG).await.unwrap();
        }
        clock.advance(LONG * 2);
        store.put("{t}alive", b"alive", &[], LONG).await.unwrap();
        store.sweep().await.unwrap();
        assert_eq!(store.get("{t}alive").await.unwrap().unwrap(), b"alive");
    }
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes < 10_000_000, "20 MB passed through a file that keeps {bytes} bytes");
}

#[tokio::test]
async fn nothing_is_left_of_what_has_ended_however_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let clock = ManualClock::default();
    let store = open_at(&path, &clock).await.unwrap();
    let group = ["{t}g".to_owned()];
    store.put("{t}alone", b"", &group, LONG).await.unwrap();
    store.put("{t}longer", b"", &group, LONG).await.unwrap();
    store.put("{t}longer", b"", &group, LONG * 4).await.unwrap();
    store.put("{t}shorter", b"", &group, LONG * 8).await.unwrap();
    store.put("{t}shorter", b"", &group, LONG).await.unwrap();
    for _ in 0..3 {
        store.remove("{t}again").await.unwrap();
        store.put("{t}again", b"", &group, LONG * 4).await.unwrap();
        clock.advance(Duration::from_secs(1));
    }
    store.put("{t}removed", b"", &group, LONG).await.unwrap();
    store.remove("{t}removed").await.unwrap();
    store.put("{t}kept", b"", &group, LONG).await.unwrap();
    assert!(store.compare_and_set("{t}kept", Some(b""), b"for good", &[], None).await.unwrap());

    for (seconds, rows) in [(0, 5), (2 * 60, 3), (2 * 60 + 1, 1), (9 * 60, 1)] {
        clock.advance(Duration::from_secs(seconds));
        store.sweep().await.unwrap();
        let members = store.members("{t}g").await.unwrap().len();
        assert_eq!(members, rows - 1, "after {seconds} more seconds");
    }
    assert_eq!(store.get("{t}kept").await.unwrap().unwrap(), b"for good");
    drop(store);
    assert_eq!(lengths(&path), [("rows".to_owned(), 1), ("lists".to_owned(), 0), ("reminders".to_owned(), 0)]);
}

#[tokio::test]
async fn deadlines_that_an_earlier_version_wrote_down_are_kept_and_may_move() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let clock = ManualClock::default();
    let due = (clock.now() + LONG).0;
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    for key in ["{t}ends", "{t}goes on"] {
        let row = (0, Some(due), vec!["{t}g"], b"old".as_slice());
        transaction.open_table(EARLIER_ROWS).unwrap().insert(key, row).unwrap();
        let mut lists = transaction.open_table(EARLIER_LISTS).unwrap();
        lists.insert(("group {t}g", key), ()).unwrap();
        lists.insert((format!("deadline {:016x}", due.cast_unsigned() ^ (1 << 63)).as_str(), key), ()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);

    let store = open_at(&path, &clock).await.unwrap();
    assert_eq!(store.members("{t}g").await.unwrap(), [b"old", b"old"]);
    store.put("{t}goes on", b"new", &["{t}g".to_owned()], LONG * 3).await.unwrap();
    drop(store);
    // What the earlier version would drop, and it knows nothing of the move.
    assert_eq!(lengths(&path)[1], ("lists".to_owned(), 2));

    let store = open_at(&path, &clock).await.unwrap();
    clock.advance(LONG * 2);
    store.sweep().await.unwrap();
    assert_eq!(store.members("{t}g").await.unwrap(), [b"new"]);
    drop(store);
    assert_eq!(lengths(&path), ["rows", "lists", "reminders"].map(|table| (table.to_owned(), 1)));
}

#[tokio::test]
async fn a_journal_that_an_earlier_version_left_without_a_guard_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(EARLIER_ROWS)
        .unwrap()
        .insert("{t}code", (0, None, vec!["{t}g"], b"old".as_slice()))
        .unwrap();
    transaction.open_table(EARLIER_LISTS).unwrap().insert(("group {t}g", "{t}code"), ()).unwrap();
    {
        let mut journal = transaction.open_table(EARLIER_JOURNAL).unwrap();
        // It began to count at 0.
        journal.insert(0, vec![("{t}code", Some((1, None, vec!["{t}h"], b"used".as_slice())))]).unwrap();
        journal
            .insert(1, vec![("{t}gone", None), ("{t}new", Some((0, None, vec!["{t}g"], b"new".as_slice())))])
            .unwrap();
    }
    transaction.commit().unwrap();
    drop(database);

    for _ in 0..2 {
        let store = open_at(&path, &ManualClock::default()).await.unwrap();
        assert_eq!(store.members("{t}g").await.unwrap(), [b"new"]);
        assert_eq!(store.members("{t}h").await.unwrap(), [b"used"]);
        store.sweep().await.unwrap();
        drop(store);
        assert_eq!(lengths(&path)[..2], [("rows".to_owned(), 2), ("lists".to_owned(), 2)]);
    }
    let store = open_at(&path, &ManualClock::default()).await.unwrap();
    assert_eq!(store.consume("{t}code").await.unwrap().unwrap(), (2, b"used".to_vec()));
}

type Stored = (u64, Option<i64>, Vec<&'static str>, &'static [u8]);

const EARLIER_ROWS: TableDefinition<&str, Stored> = TableDefinition::new("rows");
const EARLIER_LISTS: TableDefinition<(&str, &str), ()> = TableDefinition::new("lists");
const EARLIER_JOURNAL: TableDefinition<u64, Vec<(&str, Option<Stored>)>> = TableDefinition::new("journal");

/// How much is in each table of a file that nobody has open.
fn lengths(path: &Path) -> [(String, u64); 3] {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    let tables: HashMap<String, u64> = transaction
        .list_tables()
        .unwrap()
        .map(|table| (table.name().to_owned(), transaction.open_untyped_table(table).unwrap().len().unwrap()))
        .collect();
    ["rows", "lists", "reminders"].map(|name| (name.to_owned(), tables[name]))
}
