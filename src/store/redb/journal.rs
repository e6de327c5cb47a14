//! What was committed and is not yet in the tables, for a process that starts after this one was killed.

use std::vec;

use ::redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableError, WriteTransaction,
};
use anyhow::Result;

use super::layer::{Changes, Layer};
use super::stored::{Stored, decode, encode};
use crate::store::rows::{Look, Row, Rows};

/// What became of a row.
type Became = (&'static str, Option<Stored>);

/// Number of a commit → what became of the rows that it changed.
const JOURNAL: TableDefinition<u64, Vec<Became>> = TableDefinition::new("journal");
/// What a row costs in memory in addition to its bytes, very roughly, so that many small rows count too.
const ROW_BYTES: usize = 64;

/// A part of the journal that is being copied to the tables.
pub(super) struct Checkpoint {
    /// The first commit that is not part of it.
    pub(super) end: u64,
    bytes: usize,
    /// The rows that are still to be copied, in their order.
    pub(super) keys: vec::IntoIter<String>,
}

/// How much is in the journal.
#[derive(Default)]
pub(super) struct Journal {
    /// The number of the commit to come.
    next: u64,
    /// The first commit that is not in the tables.
    first: u64,
    bytes: usize,
}

impl Journal {
    /// The number of the commit to come.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The first commit that is not in the tables.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// About how many bytes its rows take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes `changes` down; they count once the transaction is committed and [`Journal::count`] was told so.
    pub(super) fn append(&self, transaction: &WriteTransaction, changes: &Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let became: Vec<_> = changes.iter().map(|(key, row)| (key, row.map(encode))).collect();
        transaction.open_table(JOURNAL)?.insert(self.next, became)?;
        Ok(())
    }

    pub(super) fn count(&mut self, changes: &Changes) {
        self.next += u64::from(!changes.is_empty());
        self.bytes += changes.iter().map(|(key, row)| ROW_BYTES + key.len() + row.map_or(0, size)).sum::<usize>();
    }

    /// A checkpoint of all commits so far, which have changed `keys`.
    pub(super) fn checkpoint(&self, mut keys: Vec<String>) -> Checkpoint {
        keys.sort_unstable();
        Checkpoint { end: self.next, bytes: self.bytes, keys: keys.into_iter() }
    }

    /// The tables have all of `checkpoint`.
    pub(super) fn forget(&mut self, checkpoint: &Checkpoint) {
        self.first = checkpoint.end;
        self.bytes -= checkpoint.bytes;
    }
}

/// Removes what is in the journal before the commit `first`, for it is in the tables.
pub(super) fn clear(transaction: &WriteTransaction, first: u64) -> Result<()> {
    Ok(transaction.open_table(JOURNAL)?.retain_in(..first, |_, _| false)?)
}

/// Whether nothing is in it.
pub(super) fn is_empty(transaction: &WriteTransaction) -> Result<bool> {
    Ok(transaction.open_table(JOURNAL)?.is_empty()?)
}

/// Makes the changes of the journal in `committed`, and gives how much is in it and how many commits that are.
pub(super) fn load<B: Look>(database: &Database, committed: &mut Layer<B>) -> Result<(Journal, usize)> {
    let (mut journal, mut commits) = (Journal::default(), 0);
    let table = match database.begin_read()?.open_table(JOURNAL) {
        Err(TableError::TableDoesNotExist(_)) => return Ok((journal, commits)),
        table => table?,
    };
    for commit in table.iter()? {
        let (number, became) = commit?;
        journal.next = number.value();
        let mut changes = Layer::over(&*committed, number.value());
        for (key, row) in became.value() {
            let old = changes.row(key)?;
            changes.replace(key, old.as_ref(), row.map(decode))?;
        }
        let changes = changes.into_changes();
        journal.count(&changes);
        committed.add(changes);
        commits += 1;
    }
    Ok((journal, commits))
}

fn size(row: &Row) -> usize {
    row.value.len() + row.groups.iter().map(String::len).sum::<usize>()
}
