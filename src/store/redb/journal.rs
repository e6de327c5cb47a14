//! What was committed and is not yet in the tables, for a process that starts after this one was killed.

use ::redb::{ReadableTable, TableDefinition, WriteTransaction};
use anyhow::Result;

use super::layer::Changes;
use super::tables::{Stored, decode, encode};
use crate::store::rows::{Row, Rows};

/// What became of a row.
type Became = (&'static str, Option<Stored>);

/// Number of a commit → what became of the rows that it changed.
const JOURNAL: TableDefinition<u64, Vec<Became>> = TableDefinition::new("journal");

/// How much is in the journal.
#[derive(Default)]
pub(super) struct Journal {
    commits: u64,
    bytes: usize,
}

impl Journal {
    /// Writes `changes` down; they count once the transaction is committed and [`Journal::count`] was told so.
    pub(super) fn append(&self, transaction: &WriteTransaction, changes: &Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let became: Vec<_> = changes.iter().map(|(key, row)| (key, row.map(encode))).collect();
        transaction.open_table(JOURNAL)?.insert(self.commits, became)?;
        Ok(())
    }

    pub(super) fn count(&mut self, changes: &Changes) {
        self.commits += 1;
        self.bytes += changes.iter().map(|(key, row)| key.len() + row.map_or(0, size)).sum::<usize>();
    }

    /// About how many bytes lie in it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Removes the journal, for its changes are in the tables.
pub(super) fn clear(transaction: &WriteTransaction) -> Result<()> {
    transaction.delete_table(JOURNAL)?;
    Ok(())
}

/// Makes the changes of the journal in `rows`, and removes it; gives how many commits there were.
pub(super) fn take_over(transaction: &WriteTransaction, rows: &mut impl Rows) -> Result<u64> {
    let mut commits = 0;
    for commit in transaction.open_table(JOURNAL)?.iter()? {
        for (key, row) in commit?.1.value() {
            let old = rows.row(key)?;
            rows.replace(key, old.as_ref(), row.map(decode))?;
        }
        commits += 1;
    }
    clear(transaction)?;
    Ok(commits)
}

fn size(row: &Row) -> usize {
    row.value.len() + row.groups.iter().map(String::len).sum::<usize>()
}
