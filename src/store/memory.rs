//! The embedded store without a file: for a try-out and for tests. A restart forgets everything.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use async_trait::async_trait;

use super::backend::{Backend, Page};
use super::change::Change;
use super::grouped::Grouped;
use super::rows::{self, Look, Reminded, Row, Rows};
use crate::clock::{Clock, Timestamp};

/// The backend that keeps everything in the memory of this process.
pub struct Memory {
    clock: Arc<dyn Clock>,
    // A verb holds it for microseconds and never across an await.
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    rows: Grouped,
    deadlines: BTreeSet<(Timestamp, String)>,
}

impl Memory {
    /// An empty store whose housekeeping follows `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tables: Mutex::default() }
    }

    /// How many rows it keeps that will expire.
    pub fn fleeting(&self) -> usize {
        self.tables().deadlines.len()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No verb leaves the tables half changed in a way that a reader would trip over.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Backend for Memory {
    async fn commit(&self, changes: Arc<[Change]>) -> Result<bool> {
        rows::commit(&mut *self.tables(), &changes, self.clock.now())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        rows::get(&*self.tables(), key, self.clock.now())
    }

    async fn consume(&self, key: &str) -> Result<Option<(u64, Vec<u8>)>> {
        rows::consume(&mut *self.tables(), key, self.clock.now())
    }

    async fn members(&self, group: &str) -> Result<Vec<Vec<u8>>> {
        rows::members(&*self.tables(), group, self.clock.now())
    }

    async fn page(&self, group: &str, after: Option<&str>, limit: usize) -> Result<Page<Vec<u8>>> {
        rows::page(&*self.tables(), group, after, limit, self.clock.now())
    }

    async fn count(&self, group: &str) -> Result<usize> {
        rows::count(&*self.tables(), group, self.clock.now())
    }

    async fn remove_group(&self, group: &str) -> Result<()> {
        rows::remove_group(&mut *self.tables(), group, self.clock.now())
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        rows::remove(&mut *self.tables(), key, self.clock.now())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn sweep(&self) -> Result<()> {
        rows::sweep(&mut *self.tables(), self.clock.now(), usize::MAX).map(drop)
    }
}

impl Look for Tables {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        Ok(self.rows.get(key).cloned())
    }

    fn keys(&self, group: &str, after: &str, limit: usize) -> Result<Page<String>> {
        Ok(Page::of_keys(self.rows.members(group, after).take(limit).cloned().collect(), limit))
    }
}

impl Rows for Tables {
    fn replace(&mut self, key: &str, old: Option<&Row>, new: Option<Row>) -> Result<()> {
        if let Some(deadline) = old.and_then(|row| row.deadline) {
            self.deadlines.remove(&(deadline, key.to_owned()));
        }
        if let Some(deadline) = new.as_ref().and_then(|row| row.deadline) {
            self.deadlines.insert((deadline, key.to_owned()));
        }
        match new {
            Some(row) => self.rows.insert(key.to_owned(), row),
            None => self.rows.remove(key),
        }
        Ok(())
    }
}

impl Reminded for Tables {
    fn take_overdue(&mut self, now: Timestamp, limit: usize) -> Result<Vec<String>> {
        let overdue = self.deadlines.iter().take_while(|(deadline, _)| *deadline < now);
        Ok(overdue.take(limit).map(|(_, key)| key.clone()).collect())
    }

    /// Deadlines are kept in step with the rows here.
    fn remind(&mut self, _: &str, _: Timestamp) -> Result<()> {
        Ok(())
    }
}
