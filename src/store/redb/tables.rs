//! The three tables in the file, as the verbs of `rows.rs` see them in a reading and in a writing transaction.

use ::redb::{
    MultimapTable, MultimapTableDefinition, ReadOnlyMultimapTable, ReadOnlyTable, ReadTransaction,
    ReadableMultimapTable, ReadableTable, Table, TableDefinition, WriteTransaction,
};
use anyhow::Result;

use crate::clock::Timestamp;
use crate::store::rows::{Look, Row, Rows};

/// Uses, deadline, groups, value.
type Stored = (u64, Option<i64>, Vec<&'static str>, &'static [u8]);

/// Key → row.
const ROWS: TableDefinition<&str, Stored> = TableDefinition::new("rows");
/// Group → keys.
const GROUPS: MultimapTableDefinition<&str, &str> = MultimapTableDefinition::new("groups");
/// Deadline and key, so that a sweep reads only what it drops.
const DEADLINES: TableDefinition<(i64, &str), ()> = TableDefinition::new("deadlines");

/// The tables as of the last commit.
pub(super) struct Reading {
    rows: ReadOnlyTable<&'static str, Stored>,
    groups: ReadOnlyMultimapTable<&'static str, &'static str>,
}

impl Reading {
    pub(super) fn begin(transaction: &ReadTransaction) -> Result<Self> {
        Ok(Self { rows: transaction.open_table(ROWS)?, groups: transaction.open_multimap_table(GROUPS)? })
    }
}

impl Look for Reading {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        row(&self.rows, key)
    }

    fn keys(&self, group: &str) -> Result<Vec<String>> {
        keys(&self.groups, group)
    }
}

/// The tables inside a transaction; what is missing is created.
pub(super) struct Writing<'t> {
    rows: Table<'t, &'static str, Stored>,
    groups: MultimapTable<'t, &'static str, &'static str>,
    deadlines: Table<'t, (i64, &'static str), ()>,
}

impl<'t> Writing<'t> {
    pub(super) fn begin(transaction: &'t WriteTransaction) -> Result<Self> {
        Ok(Self {
            rows: transaction.open_table(ROWS)?,
            groups: transaction.open_multimap_table(GROUPS)?,
            deadlines: transaction.open_table(DEADLINES)?,
        })
    }
}

impl Look for Writing<'_> {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        row(&self.rows, key)
    }

    fn keys(&self, group: &str) -> Result<Vec<String>> {
        keys(&self.groups, group)
    }
}

impl Rows for Writing<'_> {
    fn take(&mut self, key: &str) -> Result<Option<Row>> {
        let Some(row) = self.rows.remove(key)?.map(|stored| decode(stored.value())) else { return Ok(None) };
        for group in &row.groups {
            self.groups.remove(group.as_str(), key)?;
        }
        if let Some(deadline) = row.deadline {
            self.deadlines.remove((deadline.0, key))?;
        }
        Ok(Some(row))
    }

    fn place(&mut self, key: &str, row: Row) -> Result<()> {
        for group in &row.groups {
            self.groups.insert(group.as_str(), key)?;
        }
        if let Some(deadline) = row.deadline {
            self.deadlines.insert((deadline.0, key), ())?;
        }
        let groups = row.groups.iter().map(String::as_str).collect::<Vec<_>>();
        let deadline = row.deadline.map(|deadline| deadline.0);
        self.rows.insert(key, (row.uses, deadline, groups, row.value.as_slice()))?;
        Ok(())
    }

    fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<String>> {
        // An empty key is the smallest: what is due in this very second still lives.
        let range = self.deadlines.range((i64::MIN, "")..(now.0, ""))?;
        range.take(limit).map(|entry| Ok(entry?.0.value().1.to_owned())).collect()
    }
}

fn row(rows: &impl ReadableTable<&'static str, Stored>, key: &str) -> Result<Option<Row>> {
    Ok(rows.get(key)?.map(|stored| decode(stored.value())))
}

fn keys(groups: &impl ReadableMultimapTable<&'static str, &'static str>, group: &str) -> Result<Vec<String>> {
    groups.get(group)?.map(|key| Ok(key?.value().to_owned())).collect()
}

fn decode((uses, deadline, groups, value): (u64, Option<i64>, Vec<&str>, &[u8])) -> Row {
    let groups = groups.into_iter().map(str::to_owned).collect();
    Row { value: value.to_vec(), uses, deadline: deadline.map(Timestamp), groups }
}
