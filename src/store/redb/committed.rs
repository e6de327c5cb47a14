//! What is committed, as requests read it: the changes of the journal over the tables.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use anyhow::Result;

use super::layer::{Changes, Layer};
use super::tables::Reading;
use crate::store::backend::Page;
use crate::store::rows::{Look, Row};

/// The tables as of some moment, and all changes since. Only the writer changes it. Readers hold the lock while they look
/// at what is in memory, and not while they read the tables, so a long list keeps no one waiting.
pub(super) struct Committed(RwLock<Layer<Arc<Reading>>>);

impl Committed {
    pub(super) fn new(layer: Layer<Arc<Reading>>) -> Self {
        Self(RwLock::new(layer))
    }

    /// All of it, for the writer, which blocks no reader while it reads.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Layer<Arc<Reading>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part that tells the members of `group`.
    pub(super) fn part(&self, group: &str) -> Layer<Arc<Reading>> {
        self.read().part(group)
    }

    /// Makes `later` changes too.
    pub(super) fn add(&self, later: Changes) {
        if later.len() > self.read().changes().len() {
            // With so many, the lock is held for a shorter time if they are put together first.
            let mut all = self.read().changes().clone();
            all.add(later);
            self.change(|layer| layer.replace_changes(all));
        } else {
            self.change(|layer| layer.add(later));
        }
    }

    /// Reads the tables as of the last commit. A reader of an earlier one keeps its pages from being used again, and every
    /// commit leaves some behind.
    pub(super) fn read_anew(&self, tables: Reading) {
        self.change(|layer| layer.replace_below(Arc::new(tables)));
    }

    /// Reads `tables`, in which all changes have been made but the `late` ones.
    pub(super) fn rest_on(&self, tables: Reading, late: Changes) {
        self.change(|layer| (layer.replace_below(Arc::new(tables)), layer.replace_changes(late)));
    }

    /// What it replaces is dropped after the lock is released.
    fn change<T>(&self, change: impl FnOnce(&mut Layer<Arc<Reading>>) -> T) {
        let mut layer = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let left = change(&mut layer);
        drop(layer);
        drop(left);
    }
}

impl Look for Committed {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        let layer = self.read();
        if let Some(row) = layer.changes().get(key) {
            return Ok(row.cloned());
        }
        let tables = Arc::clone(layer.below());
        drop(layer);
        tables.row(key)
    }

    fn keys(&self, group: &str, after: &str, limit: usize) -> Result<Page<String>> {
        self.part(group).keys(group, after, limit)
    }
}
