//! Changes that lie over what is below them, and are read as if they had been made there.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use anyhow::Result;

use crate::store::backend::Page;
use crate::store::rows::{Look, Row, Rows};

/// What became of some rows.
#[derive(Clone, Default)]
pub(super) struct Changes {
    rows: HashMap<String, Changed>,
    /// Group → key → whether it is a member now. Every changed row that was a member below is in it, so the rows themselves
    /// need not be looked at.
    groups: HashMap<String, BTreeMap<String, bool>>,
}

#[derive(Clone)]
struct Changed {
    /// How it is now; `None`: it is not there any more, if it ever was.
    row: Option<Row>,
    /// The number of the commit that has made it so.
    commit: u64,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows have changed.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// What became of every one of the rows, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Option<&Row>)> {
        self.rows.iter().map(|(key, changed)| (key.as_str(), changed.row.as_ref()))
    }

    /// What became of the row under `key`, if anything did.
    pub(super) fn get(&self, key: &str) -> Option<Option<&Row>> {
        self.rows.get(key).map(|changed| changed.row.as_ref())
    }

    /// Those that commits from `first` on have made, as changes of the rows `below`.
    pub(super) fn since(&self, first: u64, below: &impl Look) -> Result<Self> {
        let mut late = Self::default();
        for (key, changed) in self.rows.iter().filter(|(_, changed)| changed.commit >= first) {
            late.set(key, below.row(key)?.as_ref(), changed.row.clone(), changed.commit);
        }
        Ok(late)
    }

    /// Makes `later` changes too.
    pub(super) fn add(&mut self, later: Self) {
        self.rows.extend(later.rows);
        for (group, keys) in later.groups {
            self.groups.entry(group).or_default().extend(keys);
        }
    }

    /// The part that tells the members of `group`.
    fn of(&self, group: &str) -> Self {
        let Some(keys) = self.groups.get(group) else { return Self::default() };
        let rows =
            keys.iter().filter(|(_, is)| **is).filter_map(|(key, _)| Some((key.clone(), self.rows.get(key)?.clone())));
        Self { rows: rows.collect(), groups: HashMap::from([(group.to_owned(), keys.clone())]) }
    }

    fn set(&mut self, key: &str, old: Option<&Row>, new: Option<Row>, commit: u64) {
        for (row, is) in [(old, false), (new.as_ref(), true)] {
            for group in row.into_iter().flat_map(|row| &row.groups) {
                self.groups.entry(group.clone()).or_default().insert(key.to_owned(), is);
            }
        }
        self.rows.insert(key.to_owned(), Changed { row: new, commit });
    }
}

/// Changes over rows that stay as they are.
pub(super) struct Layer<B> {
    below: B,
    changes: Changes,
    /// The number of the commit that makes them.
    commit: u64,
}

impl<B> Layer<B> {
    /// No changes yet; those to come belong to `commit`.
    pub(super) fn over(below: B, commit: u64) -> Self {
        Self { below, changes: Changes::default(), commit }
    }

    pub(super) fn below(&self) -> &B {
        &self.below
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    /// Replaces the rows below by the same rows as of a later commit, and gives the old ones.
    pub(super) fn replace_below(&mut self, below: B) -> B {
        std::mem::replace(&mut self.below, below)
    }

    /// Forgets all changes but these, and gives what there was.
    pub(super) fn replace_changes(&mut self, changes: Changes) -> Changes {
        std::mem::replace(&mut self.changes, changes)
    }

    /// Makes `later` changes too.
    pub(super) fn add(&mut self, later: Changes) {
        self.changes.add(later);
    }
}

impl<B: Clone> Layer<B> {
    /// The part that tells the members of `group`.
    pub(super) fn part(&self, group: &str) -> Self {
        Self { below: self.below.clone(), changes: self.changes.of(group), commit: self.commit }
    }
}

impl<B: Look> Look for Layer<B> {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        match self.changes.get(key) {
            Some(row) => Ok(row.cloned()),
            None => self.below.row(key),
        }
    }

    fn keys(&self, group: &str, after: &str, limit: usize) -> Result<Page<String>> {
        let below = self.below.keys(group, after, limit)?;
        let Some(changed) = self.changes.groups.get(group) else { return Ok(below) };
        let Page { members: mut keys, next } = below;
        // What lies beyond the page below comes after what the next one has.
        let end = next.as_deref().map_or(Bound::Unbounded, Bound::Included);
        let joined = changed.range::<str, _>((Bound::Excluded(after), end)).filter(|(_, is)| **is);
        keys.retain(|key| !changed.contains_key(key));
        keys.extend(joined.map(|(key, _)| key.clone()));
        // Two runs that are in order already.
        keys.sort();
        if keys.len() < limit {
            return Ok(Page { members: keys, next });
        }
        keys.truncate(limit);
        Ok(Page::of_keys(keys, limit))
    }
}

impl<B: Look> Rows for Layer<B> {
    fn replace(&mut self, key: &str, old: Option<&Row>, new: Option<Row>) -> Result<()> {
        self.changes.set(key, old, new, self.commit);
        Ok(())
    }
}
