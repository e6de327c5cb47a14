//! Changes that lie over what is below them, and are read as if they had been made there.

use std::collections::HashSet;

use anyhow::Result;

use crate::store::grouped::Grouped;
use crate::store::rows::{Look, Row, Rows};

/// What became of some rows.
#[derive(Default)]
pub(super) struct Changes {
    /// How they are now.
    rows: Grouped,
    /// Those that are not there any more, if they ever were.
    gone: HashSet<String>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// What became of every one of the rows, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Option<&Row>)> {
        let gone = self.gone.iter().map(|key| (key.as_str(), None));
        self.rows.iter().map(|(key, row)| (key, Some(row))).chain(gone)
    }

    /// Makes all changes in `rows`, in the order of the keys: neighbours are changed together.
    pub(super) fn make_in(&self, rows: &mut impl Rows) -> Result<()> {
        let mut changes: Vec<_> = self.iter().collect();
        changes.sort_unstable_by_key(|(key, _)| *key);
        for (key, new) in changes {
            let old = rows.row(key)?;
            if old.is_some() || new.is_some() {
                rows.replace(key, old.as_ref(), new.cloned())?;
            }
        }
        Ok(())
    }

    fn set(&mut self, key: String, new: Option<Row>) {
        match new {
            Some(row) => {
                self.gone.remove(&key);
                self.rows.insert(key, row);
            }
            None => {
                self.rows.remove(&key);
                self.gone.insert(key);
            }
        }
    }
}

/// Changes over rows that stay as they are.
pub(super) struct Layer<B> {
    below: B,
    changes: Changes,
}

impl<B> Layer<B> {
    /// No changes yet.
    pub(super) fn over(below: B) -> Self {
        Self { below, changes: Changes::default() }
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    /// Puts the same rows, read anew, in the place of those below.
    pub(super) fn rest_on(&mut self, below: B) {
        self.below = below;
    }

    /// Makes `later` changes too.
    pub(super) fn add(&mut self, later: Changes) {
        later.rows.into_rows().for_each(|(key, row)| self.changes.set(key, Some(row)));
        later.gone.into_iter().for_each(|key| self.changes.set(key, None));
    }
}

impl<B: Look> Look for Layer<B> {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        match self.changes.rows.get(key) {
            Some(row) => Ok(Some(row.clone())),
            None if self.changes.gone.contains(key) => Ok(None),
            None => self.below.row(key),
        }
    }

    fn keys(&self, group: &str) -> Result<Vec<String>> {
        let mut keys = self.below.keys(group)?;
        keys.retain(|key| self.changes.rows.get(key).is_none() && !self.changes.gone.contains(key));
        keys.extend(self.changes.rows.members(group).cloned());
        Ok(keys)
    }
}

impl<B: Look> Rows for Layer<B> {
    fn replace(&mut self, key: &str, _: Option<&Row>, new: Option<Row>) -> Result<()> {
        self.changes.set(key.to_owned(), new);
        Ok(())
    }
}
