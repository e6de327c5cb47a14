//! The tables in the file, as the verbs of `rows.rs` see them in a reading and in a writing transaction.

use std::ops::{Bound, Range};

use ::redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use anyhow::{Context, Result};

use super::guard::{self, ROWS};
use super::stored::{Stored, decode, encode};
use crate::clock::Timestamp;
use crate::store::backend::Page;
use crate::store::rows::{Look, Reminded, Row, Rows};

/// A list and a key in it.
type Listed = (&'static str, &'static str);
/// Seconds since 1970, a number that keeps those of one second in the order in which they came (0 for one that is
/// repeated, so that many of one key become one), and a key.
type Reminder = (i64, u64, &'static str);

/// Every group is a list of keys.
const LISTS: TableDefinition<Listed, ()> = TableDefinition::new("lists");
/// When to check whether a row is overdue: at its deadline, or before. Only a sweep reads reminders, so a row that ends
/// sooner or stays longer leaves its own where it is, which saves writing a page; the sweep drops or renews it.
const REMINDERS: TableDefinition<Reminder, ()> = TableDefinition::new("reminders");

/// The lists in which an earlier version kept deadlines lie between these, beside the groups.
const DEADLINES: Range<Listed> = ("deadline ", "")..("group ", "");

/// The tables as of one commit. It keeps the pages of that commit from being used again.
pub(super) struct Reading {
    rows: ReadOnlyTable<&'static str, Stored>,
    lists: ReadOnlyTable<Listed, ()>,
}

impl Reading {
    pub(super) fn begin(database: &Database) -> Result<Self> {
        let transaction = database.begin_read()?;
        Ok(Self { rows: guard::rows(&transaction)?, lists: transaction.open_table(LISTS)? })
    }

    /// Whether [`Writing::adopt_deadlines`] has nothing to do.
    pub(super) fn has_no_deadlines(&self) -> Result<bool> {
        Ok(self.lists.range(DEADLINES)?.next().is_none())
    }
}

impl Look for Reading {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        row(&self.rows, key)
    }

    fn keys(&self, group: &str, after: &str, limit: usize) -> Result<Page<String>> {
        keys(&self.lists, group, after, limit)
    }
}

/// The tables inside a transaction for which the guard is up; what is missing is created.
pub(super) struct Writing<'t> {
    rows: Table<'t, &'static str, Stored>,
    lists: Table<'t, Listed, ()>,
    reminders: Table<'t, Reminder, ()>,
}

impl<'t> Writing<'t> {
    pub(super) fn begin(transaction: &'t WriteTransaction) -> Result<Self> {
        Ok(Self {
            rows: transaction.open_table(ROWS)?,
            lists: transaction.open_table(LISTS)?,
            reminders: transaction.open_table(REMINDERS)?,
        })
    }

    /// An earlier version kept a list of keys for every deadline, whose name was the time. It finds none of ours there if
    /// it comes back, and so drops nothing that lives longer by now.
    pub(super) fn adopt_deadlines(&mut self) -> Result<()> {
        // No row is looked at: they lie in another order, and a large file would be read page by page.
        for listed in self.lists.extract_from_if(DEADLINES, |_, ()| true)? {
            let listed = listed?.0;
            let (list, key) = listed.value();
            let time = list.strip_prefix("deadline ").context("a list that is none of ours")?;
            let at = u64::from_str_radix(time, 16).with_context(|| format!("the time of the list {list:?}"))?;
            self.reminders.insert(((at ^ (1 << 63)).cast_signed(), 0, key), ())?;
        }
        Ok(())
    }
}

impl Writing<'_> {
    /// Most changes leave a row in its groups, and cost nothing there.
    fn relist(&mut self, key: &str, old: Option<&Row>, new: Option<&Row>) -> Result<()> {
        let (before, after) = (groups(old), groups(new));
        for group in before.iter().filter(|group| !after.contains(group)) {
            self.lists.remove((members(group).as_str(), key))?;
        }
        for group in after.iter().filter(|group| !before.contains(group)) {
            self.lists.insert((members(group).as_str(), key), ())?;
        }
        Ok(())
    }

    /// Nothing to do if there is a reminder that comes early enough.
    fn schedule(&mut self, key: &str, old: Option<&Row>, new: Option<&Row>) -> Result<()> {
        let Some(at) = new.and_then(|row| row.deadline) else { return Ok(()) };
        if old.and_then(|row| row.deadline).is_some_and(|reminded| reminded <= at) {
            return Ok(());
        }
        let last = self.reminders.range((at.0, 0, "")..=(at.0, u64::MAX, ""))?.next_back().transpose()?;
        let number = last.map_or(0, |(reminder, _)| reminder.value().1) + 1;
        self.reminders.insert((at.0, number, key), ())?;
        Ok(())
    }
}

impl Look for Writing<'_> {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        row(&self.rows, key)
    }

    fn keys(&self, group: &str, after: &str, limit: usize) -> Result<Page<String>> {
        keys(&self.lists, group, after, limit)
    }
}

impl Rows for Writing<'_> {
    fn replace(&mut self, key: &str, old: Option<&Row>, new: Option<Row>) -> Result<()> {
        self.relist(key, old, new.as_ref())?;
        self.schedule(key, old, new.as_ref())?;
        match new {
            Some(row) => drop(self.rows.insert(key, encode(&row))?),
            None => drop(self.rows.remove(key)?),
        }
        Ok(())
    }
}

impl Reminded for Writing<'_> {
    fn take_overdue(&mut self, now: Timestamp, limit: usize) -> Result<Vec<String>> {
        // What is due in this very second still lives.
        let overdue = self.reminders.extract_from_if(..(now.0, 0, ""), |_, ()| true)?;
        overdue.take(limit).map(|reminder| Ok(reminder?.0.value().2.to_owned())).collect()
    }

    fn remind(&mut self, key: &str, deadline: Timestamp) -> Result<()> {
        self.reminders.insert((deadline.0, 0, key), ())?;
        Ok(())
    }
}

fn groups(row: Option<&Row>) -> &[String] {
    row.map(|row| row.groups.as_slice()).unwrap_or_default()
}

/// The list of the keys in a group.
fn members(group: &str) -> String {
    format!("group {group}")
}

fn row(rows: &impl ReadableTable<&'static str, Stored>, key: &str) -> Result<Option<Row>> {
    Ok(rows.get(key)?.map(|stored| decode(stored.value())))
}

fn keys(lists: &impl ReadableTable<Listed, ()>, group: &str, after: &str, limit: usize) -> Result<Page<String>> {
    let list = members(group);
    let mut keys = Vec::new();
    for entry in lists.range((Bound::Excluded((list.as_str(), after)), Bound::Unbounded))? {
        let entry = entry?.0;
        let (of, key) = entry.value();
        if of != list || keys.len() == limit {
            break;
        }
        keys.push(key.to_owned());
    }
    Ok(Page::of_keys(keys, limit))
}
