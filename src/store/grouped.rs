//! Rows in memory, and who is in which group.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use super::rows::Row;

/// Rows by their keys, with the groups in step.
#[derive(Default)]
pub(super) struct Grouped {
    rows: HashMap<String, Row>,
    groups: HashMap<String, BTreeSet<String>>,
}

impl Grouped {
    /// The row under `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Row> {
        self.rows.get(key)
    }

    /// The keys in `group` after `after`, in their order.
    pub(super) fn members(&self, group: &str, after: &str) -> impl Iterator<Item = &String> {
        let after = (Bound::Excluded(after), Bound::Unbounded);
        self.groups.get(group).into_iter().flat_map(move |keys| keys.range::<str, _>(after))
    }

    /// Puts `row` under `key`, in the place of what is there.
    pub(super) fn insert(&mut self, key: String, row: Row) {
        // Most changes leave a row in its groups.
        if let Some(old) = self.rows.get_mut(&key).filter(|old| old.groups == row.groups) {
            *old = row;
            return;
        }
        self.remove(&key);
        for group in &row.groups {
            self.groups.entry(group.clone()).or_default().insert(key.clone());
        }
        self.rows.insert(key, row);
    }

    /// Removes the row under `key`, if there is one.
    pub(super) fn remove(&mut self, key: &str) {
        let Some(old) = self.rows.remove(key) else { return };
        for group in &old.groups {
            if let Some(keys) = self.groups.get_mut(group) {
                keys.remove(key);
                if keys.is_empty() {
                    self.groups.remove(group);
                }
            }
        }
    }
}
