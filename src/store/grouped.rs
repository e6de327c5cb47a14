//! Rows in memory, and who is in which group.

use std::collections::{HashMap, HashSet};

use super::rows::Row;

/// Rows by their keys, with the groups in step.
#[derive(Default)]
pub(super) struct Grouped {
    rows: HashMap<String, Row>,
    groups: HashMap<String, HashSet<String>>,
}

impl Grouped {
    /// The row under `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Row> {
        self.rows.get(key)
    }

    /// The keys in `group`, in no order.
    pub(super) fn members(&self, group: &str) -> impl Iterator<Item = &String> {
        self.groups.get(group).into_iter().flatten()
    }

    /// Puts `row` under `key`, and gives what was there.
    pub(super) fn insert(&mut self, key: String, row: Row) -> Option<Row> {
        // Most changes leave a row in its groups.
        if let Some(old) = self.rows.get_mut(&key).filter(|old| old.groups == row.groups) {
            return Some(std::mem::replace(old, row));
        }
        let old = self.remove(&key);
        for group in &row.groups {
            self.groups.entry(group.clone()).or_default().insert(key.clone());
        }
        self.rows.insert(key, row);
        old
    }

    /// Removes the row under `key`, and gives it.
    pub(super) fn remove(&mut self, key: &str) -> Option<Row> {
        let old = self.rows.remove(key)?;
        for group in &old.groups {
            if let Some(keys) = self.groups.get_mut(group) {
                keys.remove(key);
                if keys.is_empty() {
                    self.groups.remove(group);
                }
            }
        }
        Some(old)
    }

    /// All rows, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.rows.iter().map(|(key, row)| (key.as_str(), row))
    }

    /// All rows, in no order.
    pub(super) fn into_rows(self) -> impl Iterator<Item = (String, Row)> {
        self.rows.into_iter()
    }
}
