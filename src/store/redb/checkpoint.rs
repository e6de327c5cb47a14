//! Checkpoints: the journal is copied to the tables, in slices of some hundred rows between the commits of others.
//!
//! A slice is written in the order of the keys, so several of its rows share a page, and many rows have ended before
//! they reach a table. The journal keeps them until the last slice is in the tables: after a crash in between, it
//! changes rows once more, to what they already are.

use std::sync::Arc;

use super::guard;
use super::journal::{self, Checkpoint};
use super::tables::{Reading, Writing};
use super::writer::{Failed, Writer, transact};
use crate::clock::Timestamp;
use crate::store::rows::{self, Look, Rows};

/// Rows of a slice while few changes arrive: a bound for how long a commit waits.
const SLICE: usize = 512;
/// Rows that one step of a sweep drops, so that requests get their turn between the steps.
pub(super) const SWEEP: usize = 500;

impl Writer {
    /// Copies a slice of the journal to the tables. If the disk refuses, the journal stays as it is.
    pub(super) fn copy_slice(&mut self) -> Result<(), Failed> {
        let mut checkpoint = self.checkpoint.take().unwrap_or_else(|| self.begin_checkpoint());
        let committed = Arc::clone(&self.committed);
        // More than a slice where many changes arrive, or the checkpoint would never end.
        let rows = SLICE.max(self.owed / 16);
        self.owed = self.owed.saturating_sub(rows);
        let keys: Vec<_> = checkpoint.keys.by_ref().take(rows).collect();
        let is_last = checkpoint.keys.len() == 0;
        self.write(|_, transaction| {
            let committed = committed.read();
            let mut tables = Writing::begin(transaction)?;
            for key in &keys {
                let (old, new) = (tables.row(key)?, committed.row(key)?);
                if old.is_some() || new.is_some() {
                    tables.replace(key, old.as_ref(), new)?;
                }
            }
            if is_last { journal::clear(transaction, checkpoint.end) } else { Ok(()) }
        })?;
        let tables = Reading::begin(&self.database)?;
        if is_last {
            let late = committed.read().changes().since(checkpoint.end, &tables)?;
            committed.rest_on(tables, late);
            self.journal.forget(&checkpoint);
        } else {
            committed.read_anew(tables);
            self.checkpoint = Some(checkpoint);
        }
        Ok(())
    }

    fn begin_checkpoint(&self) -> Checkpoint {
        let keys = self.committed.read().changes().iter().map(|(key, _)| key.to_owned()).collect();
        self.journal.checkpoint(keys)
    }

    /// Copies a slice if the tables lack a commit before `end`, and gives whether they have all of them now.
    pub(super) fn have_copied(&mut self, end: u64) -> Result<bool, Failed> {
        if self.journal.first() < end {
            self.copy_slice()?;
        }
        Ok(self.journal.first() >= end)
    }

    /// Drops some of what is overdue in the tables, and gives how many rows it has looked at. Rows that have changed since
    /// are read from the journal until the next checkpoint, whatever the tables hold.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Result<usize, Failed> {
        let seen = self.write(|_, transaction| rows::sweep(&mut Writing::begin(transaction)?, now, SWEEP))?;
        self.committed.read_anew(Reading::begin(&self.database)?);
        Ok(seen)
    }

    /// Leaves a file that every version can read. The next change puts the guard up again.
    pub(super) fn close(&mut self) -> Result<(), Failed> {
        let end = self.journal.next();
        while !self.have_copied(end)? {}
        if guard::is_up(&self.database)? {
            transact(&self.database, guard::take_down)?;
        }
        self.is_guarded = false;
        Ok(())
    }
}
