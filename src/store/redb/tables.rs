//! The two tables in the file, as the verbs of `rows.rs` see them in a reading and in a writing transaction.

use ::redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};
use anyhow::Result;

use crate::clock::Timestamp;
use crate::store::rows::{Look, Row, Rows};

/// Uses, deadline, groups, value.
type Stored = (u64, Option<i64>, Vec<&'static str>, &'static [u8]);
/// A list and a key in it.
type Listed = (&'static str, &'static str);

/// Key → row.
const ROWS: TableDefinition<&str, Stored> = TableDefinition::new("rows");
/// Every group is a list of keys, and so is every deadline: a sweep reads only what it drops. One table, because every
/// commit pays for each table that it has changed.
const LISTS: TableDefinition<Listed, ()> = TableDefinition::new("lists");

/// The tables as of the last commit. Each is opened when it is asked.
pub(super) struct Reading(pub(super) ReadTransaction);

impl Look for Reading {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        row(&self.0.open_table(ROWS)?, key)
    }

    fn keys(&self, group: &str) -> Result<Vec<String>> {
        keys(&self.0.open_table(LISTS)?, group)
    }
}

/// The tables inside a transaction; what is missing is created.
pub(super) struct Writing<'t> {
    rows: Table<'t, &'static str, Stored>,
    lists: Table<'t, Listed, ()>,
}

impl<'t> Writing<'t> {
    pub(super) fn begin(transaction: &'t WriteTransaction) -> Result<Self> {
        Ok(Self { rows: transaction.open_table(ROWS)?, lists: transaction.open_table(LISTS)? })
    }
}

impl Writing<'_> {
    /// Most changes leave a row in its groups, and cost nothing there.
    fn relist(&mut self, key: &str, old: Option<&Row>, new: Option<&Row>) -> Result<()> {
        let (before, after) = (groups(old), groups(new));
        let (was, is) = (old.and_then(|row| row.deadline), new.and_then(|row| row.deadline));
        let moved = was != is;
        let left = before.iter().filter(|group| !after.contains(group)).map(|group| members(group));
        for list in left.chain(was.filter(|_| moved).map(deadlines)) {
            self.lists.remove((list.as_str(), key))?;
        }
        let joined = after.iter().filter(|group| !before.contains(group)).map(|group| members(group));
        for list in joined.chain(is.filter(|_| moved).map(deadlines)) {
            self.lists.insert((list.as_str(), key), ())?;
        }
        Ok(())
    }
}

impl Look for Writing<'_> {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        row(&self.rows, key)
    }

    fn keys(&self, group: &str) -> Result<Vec<String>> {
        keys(&self.lists, group)
    }
}

impl Rows for Writing<'_> {
    fn replace(&mut self, key: &str, old: Option<&Row>, new: Option<&Row>) -> Result<()> {
        self.relist(key, old, new)?;
        match new {
            Some(row) => {
                let groups = row.groups.iter().map(String::as_str).collect::<Vec<_>>();
                self.rows.insert(key, (row.uses, row.deadline.map(|at| at.0), groups, row.value.as_slice()))?;
            }
            None => drop(self.rows.remove(key)?),
        }
        Ok(())
    }

    fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<String>> {
        // An empty key is the smallest: what is due in this very second still lives.
        let range = self.lists.range((deadlines(Timestamp(i64::MIN)).as_str(), "")..(deadlines(now).as_str(), ""))?;
        range.take(limit).map(|entry| Ok(entry?.0.value().1.to_owned())).collect()
    }
}

fn groups(row: Option<&Row>) -> &[String] {
    row.map(|row| row.groups.as_slice()).unwrap_or_default()
}

/// The list of the keys in a group.
fn members(group: &str) -> String {
    format!("group {group}")
}

/// The list of the keys with a deadline. These lists are in the order of time.
fn deadlines(deadline: Timestamp) -> String {
    format!("deadline {:016x}", deadline.0.cast_unsigned() ^ (1 << 63))
}

fn row(rows: &impl ReadableTable<&'static str, Stored>, key: &str) -> Result<Option<Row>> {
    Ok(rows.get(key)?.map(|stored| decode(stored.value())))
}

fn keys(lists: &impl ReadableTable<Listed, ()>, group: &str) -> Result<Vec<String>> {
    let list = members(group);
    let mut keys = Vec::new();
    for entry in lists.range((list.as_str(), "")..)? {
        let entry = entry?.0;
        let (of, key) = entry.value();
        if of != list {
            break;
        }
        keys.push(key.to_owned());
    }
    Ok(keys)
}

fn decode((uses, deadline, groups, value): (u64, Option<i64>, Vec<&str>, &[u8])) -> Row {
    let groups = groups.into_iter().map(str::to_owned).collect();
    Row { value: value.to_vec(), uses, deadline: deadline.map(Timestamp), groups }
}
