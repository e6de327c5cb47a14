//! Keeps earlier versions away from a file whose journal may hold something.
//!
//! Earlier versions know no journal. They would serve the tables without it, and this version, once it is back, would
//! apply the journal to what they have written: a used code would be unused again. So while the file is in use, and
//! after a crash, a table of another type stands under the name of the rows, and earlier versions refuse to start. A
//! file that was closed has its rows where every version looks for them.

use ::redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError};
use ::redb::{TypeName, Value, WriteTransaction};
use anyhow::{Result, ensure};

use super::journal;
use super::stored::Stored;

/// Key → row.
pub(super) const ROWS: TableDefinition<&str, Stored> = TableDefinition::new("rows beside a journal");
/// The same in a file that was closed.
const RESTING_ROWS: TableDefinition<&str, Stored> = TableDefinition::new("rows");
const GUARD: TableDefinition<(), Elsewhere> = TableDefinition::new("rows");

/// Nothing is ever stored of this type. Its name is what an earlier version prints in place of starting.
#[derive(Debug)]
struct Elsewhere;

impl Value for Elsewhere {
    type SelfType<'a> = ();
    type AsBytes<'a> = [u8; 0];

    fn fixed_width() -> Option<usize> {
        Some(0)
    }

    fn from_bytes<'a>(_: &'a [u8]) -> Self::SelfType<'a>
    where
        Self: 'a,
    {
    }

    fn as_bytes<'a, 'b: 'a>((): &'a Self::SelfType<'b>) -> Self::AsBytes<'a>
    where
        Self: 'b,
    {
        []
    }

    fn type_name() -> TypeName {
        TypeName::new("none, for a later version has not closed this file; start and stop that version first")
    }
}

/// The rows, wherever they are; an error if there are none.
pub(super) fn rows(transaction: &ReadTransaction) -> Result<ReadOnlyTable<&'static str, Stored>> {
    match transaction.open_table(ROWS) {
        Err(TableError::TableDoesNotExist(_)) => Ok(transaction.open_table(RESTING_ROWS)?),
        rows => Ok(rows?),
    }
}

/// From this transaction on only this version reads the file; it may be up already.
pub(super) fn put_up(transaction: &WriteTransaction) -> Result<()> {
    match transaction.open_table(GUARD) {
        Err(TableError::TableTypeMismatch { .. }) => {
            transaction.rename_table(RESTING_ROWS, ROWS)?;
            transaction.open_table(GUARD)?;
        }
        guard => drop(guard?),
    }
    Ok(())
}

/// Whether the guard is up.
pub(super) fn is_up(database: &Database) -> Result<bool> {
    match database.begin_read()?.open_table(GUARD) {
        Ok(_) => Ok(true),
        Err(TableError::TableTypeMismatch { .. } | TableError::TableDoesNotExist(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// From this transaction on every version reads the file again. Fails if the journal is not empty.
pub(super) fn take_down(transaction: &WriteTransaction) -> Result<()> {
    ensure!(journal::is_empty(transaction)?, "the journal is not empty");
    transaction.delete_table(GUARD)?;
    transaction.rename_table(ROWS, RESTING_ROWS)?;
    Ok(())
}
