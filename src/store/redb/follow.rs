//! How the tables follow the journal: in slices of some hundred rows, between the commits of those who wait.
//!
//! Most pages of a slice are shared by several of its rows, as they are made in the order of the keys, and many rows have
//! ended before they reach a table. The journal stays as it is until all slices are in the tables: a process that is
//! killed in between leaves rows there that the journal changes once more, to what they are.

use std::sync::Arc;
use std::vec;

use super::guard;
use super::journal;
use super::tables::{Reading, Writing};
use super::writer::{Failed, Writer, transact};
use crate::clock::Timestamp;
use crate::store::rows::{self, Look, Rows};

/// How many rows a slice has where not much happens meanwhile: a bound for how long those wait who want to write.
const SLICE: usize = 512;
/// How many rows one sweep step drops, so that requests get their turn between the steps.
pub(super) const SWEEP: usize = 500;

/// What the tables are about to follow.
pub(super) struct Follow {
    /// The first commit that is not part of it.
    end: u64,
    /// How much of the journal it is.
    bytes: usize,
    /// The rows that are to come, in their order.
    keys: vec::IntoIter<String>,
}

impl Writer {
    /// Makes some changes of the journal in the tables. If the disk refuses, they stay where they are.
    pub(super) fn follow(&mut self) -> Result<(), Failed> {
        let mut follow = self.following.take().unwrap_or_else(|| self.all());
        let committed = Arc::clone(&self.committed);
        // Faster if more has come meanwhile, or there would be no end; but little by little.
        let rows = SLICE.max(self.owed / 16);
        self.owed = self.owed.saturating_sub(rows);
        let keys: Vec<_> = follow.keys.by_ref().take(rows).collect();
        let is_last = follow.keys.len() == 0;
        self.write(|_, transaction| {
            let committed = committed.read();
            let mut tables = Writing::begin(transaction)?;
            for key in &keys {
                let (old, new) = (tables.row(key)?, committed.row(key)?);
                if old.is_some() || new.is_some() {
                    tables.replace(key, old.as_ref(), new)?;
                }
            }
            if is_last { journal::clear(transaction, follow.end) } else { Ok(()) }
        })?;
        let tables = Reading::begin(&self.database)?;
        if is_last {
            let late = committed.read().changes().since(follow.end, &tables)?;
            committed.rest_on(tables, late);
            self.journal.forget(follow.end, follow.bytes);
        } else {
            committed.read_anew(tables);
            self.following = Some(follow);
        }
        Ok(())
    }

    fn all(&self) -> Follow {
        let mut keys: Vec<_> = self.committed.read().changes().iter().map(|(key, _)| key.to_owned()).collect();
        keys.sort_unstable();
        Follow { end: self.journal.next(), bytes: self.journal.bytes(), keys: keys.into_iter() }
    }

    /// Goes a step further towards tables that have followed all commits before `end`, and gives whether they have.
    pub(super) fn have_followed(&mut self, end: u64) -> Result<bool, Failed> {
        if self.journal.first() < end {
            self.follow()?;
        }
        Ok(self.journal.first() >= end)
    }

    /// Drops some of what is overdue in the tables, and gives how many rows it has looked at. What has become of them since
    /// is in the journal, and goes on to be read there until the tables follow, whatever they hold meanwhile.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Result<usize, Failed> {
        let seen = self.write(|_, transaction| rows::sweep(&mut Writing::begin(transaction)?, now, SWEEP))?;
        self.committed.read_anew(Reading::begin(&self.database)?);
        Ok(seen)
    }

    /// Leaves a file that every version can read. Whoever changes something after that begins anew.
    pub(super) fn close(&mut self) -> Result<(), Failed> {
        let end = self.journal.next();
        while !self.have_followed(end)? {}
        if guard::is_up(&self.database)? {
            transact(&self.database, guard::take_down)?;
        }
        self.is_guarded = false;
        Ok(())
    }
}
