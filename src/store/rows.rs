//! The verbs of [`Backend`](super::Backend) over plain rows, written once so that memory and file cannot drift apart.
//!
//! A row knows its groups, and a group is nothing but its members; it therefore lives exactly as long as the longest
//! of them. A row whose deadline has passed counts as gone everywhere, also before [`sweep`] has dropped it.

use std::ops::Deref;
use std::time::Duration;

use anyhow::Result;

use super::backend::Page;
use super::change::{Change, Entry};
use crate::clock::Timestamp;

/// What is stored under a key.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) value: Vec<u8>,
    /// Number of times it has been consumed.
    pub(super) uses: u64,
    /// The last second in which it is there; `None` keeps it for good.
    pub(super) deadline: Option<Timestamp>,
    pub(super) groups: Vec<String>,
}

impl Row {
    fn of(entry: &Entry, uses: u64, now: Timestamp) -> Self {
        let deadline = entry.keep.map(|keep| deadline(now, keep));
        Self { value: entry.value.clone(), uses, deadline, groups: entry.groups.clone() }
    }

    fn lives(&self, now: Timestamp) -> bool {
        self.deadline.is_none_or(|deadline| now <= deadline)
    }
}

/// Rows to look at.
pub(super) trait Look {
    /// The row under `key`, dead or alive.
    fn row(&self, key: &str) -> Result<Option<Row>>;
    /// At most `limit` keys in `group` in their order, those after `after`.
    fn keys(&self, group: &str, after: &str, limit: usize) -> Result<Page<String>>;
    /// The keys in `group` in their order.
    fn all_keys(&self, group: &str) -> Result<Vec<String>> {
        Ok(self.keys(group, "", usize::MAX)?.members)
    }
}

impl<L: Look, P: Deref<Target = L>> Look for P {
    fn row(&self, key: &str) -> Result<Option<Row>> {
        (**self).row(key)
    }

    fn keys(&self, group: &str, after: &str, limit: usize) -> Result<Page<String>> {
        (**self).keys(group, after, limit)
    }
}

/// Rows to change. Implementations keep groups and deadlines in step with the rows.
pub(super) trait Rows: Look {
    /// Puts `new` in the place of `old`, which is what [`Look::row`] shows under `key`; `None` is no row.
    fn replace(&mut self, key: &str, old: Option<&Row>, new: Option<Row>) -> Result<()>;
}

/// Rows whose deadlines are remembered.
pub(super) trait Reminded: Rows {
    /// At most `limit` keys whose deadline is before `now`, or was so once; none of them is told of again, unless
    /// [`Reminded::remind`] asks for it.
    fn take_overdue(&mut self, now: Timestamp, limit: usize) -> Result<Vec<String>>;
    /// The row under `key` is to be looked at again once its `deadline` is over.
    fn remind(&mut self, key: &str, deadline: Timestamp) -> Result<()>;
}

/// The deadline of what is put at `now` and kept for at least `keep`.
fn deadline(now: Timestamp, keep: Duration) -> Timestamp {
    // The clock counts whole seconds: a started one counts in full.
    now + keep + Duration::from_secs(u64::from(keep.subsec_nanos() > 0))
}

pub(super) fn get(rows: &impl Look, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>> {
    Ok(rows.row(key)?.filter(|row| row.lives(now)).map(|row| row.value))
}

pub(super) fn members(rows: &impl Look, group: &str, now: Timestamp) -> Result<Vec<Vec<u8>>> {
    rows.all_keys(group)?.iter().filter_map(|key| get(rows, key, now).transpose()).collect()
}

pub(super) fn page(
    rows: &impl Look,
    group: &str,
    after: Option<&str>,
    limit: usize,
    now: Timestamp,
) -> Result<Page<Vec<u8>>> {
    let Page { members: keys, next } = rows.keys(group, after.unwrap_or_default(), limit)?;
    let members = keys.iter().filter_map(|key| get(rows, key, now).transpose()).collect::<Result<_>>()?;
    Ok(Page { members, next })
}

/// The number of members, without their values in memory.
pub(super) fn count(rows: &impl Look, group: &str, now: Timestamp) -> Result<usize> {
    rows.all_keys(group)?.iter().try_fold(0, |count, key| Ok(count + usize::from(get(rows, key, now)?.is_some())))
}

pub(super) fn consume(rows: &mut impl Rows, key: &str, now: Timestamp) -> Result<Option<(u64, Vec<u8>)>> {
    let Some(old) = rows.row(key)?.filter(|row| row.lives(now)) else { return Ok(None) };
    let used = Row { uses: old.uses + 1, ..old.clone() };
    let found = (used.uses, used.value.clone());
    rows.replace(key, Some(&old), Some(used))?;
    Ok(Some(found))
}

pub(super) fn commit(rows: &mut impl Rows, changes: &[Change], now: Timestamp) -> Result<bool> {
    let mut found = Vec::with_capacity(changes.len());
    for change in changes {
        let old = rows.row(change.key())?;
        if !permits(change, old.as_ref().filter(|row| row.lives(now))) {
            return Ok(false);
        }
        found.push(old);
    }
    for (change, old) in changes.iter().zip(&found).filter(|(change, _)| !matches!(change, Change::Require(_))) {
        let new = after(change, old.as_ref().filter(|row| row.lives(now)), now);
        rows.replace(change.key(), old.as_ref(), new)?;
    }
    Ok(true)
}

/// Whether what is there is what a change depends on.
fn permits(change: &Change, current: Option<&Row>) -> bool {
    match change {
        Change::Put(_) | Change::Remove(_) => true,
        Change::Replace { expected, .. } => current.map(|row| &row.value) == expected.as_ref(),
        Change::UseFirst(_) => current.is_some_and(|row| row.uses == 0),
        Change::Require(_) => current.is_some(),
        Change::Take { expected, .. } => current.is_some_and(|row| row.value == *expected),
    }
}

/// What is there after a change.
fn after(change: &Change, current: Option<&Row>, now: Timestamp) -> Option<Row> {
    match change {
        Change::Put(entry) => Some(Row::of(entry, 0, now)),
        Change::Replace { entry, .. } => Some(Row::of(entry, current.map_or(0, |row| row.uses), now)),
        Change::UseFirst(_) => current.map(|row| Row { uses: row.uses + 1, ..row.clone() }),
        Change::Require(_) => current.cloned(),
        Change::Remove(_) | Change::Take { .. } => None,
    }
}

pub(super) fn remove(rows: &mut impl Rows, key: &str, now: Timestamp) -> Result<bool> {
    let Some(old) = rows.row(key)? else { return Ok(false) };
    rows.replace(key, Some(&old), None)?;
    Ok(old.lives(now))
}

pub(super) fn remove_group(rows: &mut impl Rows, group: &str, now: Timestamp) -> Result<()> {
    rows.all_keys(group)?.iter().try_for_each(|key| remove(rows, key, now).map(drop))
}

/// Looks at no more than `limit` rows that may be overdue, drops those that are, and says how many it has looked at.
pub(super) fn sweep(rows: &mut impl Reminded, now: Timestamp, limit: usize) -> Result<usize> {
    let keys = rows.take_overdue(now, limit)?;
    for key in &keys {
        match rows.row(key)? {
            Some(row) if row.lives(now) => row.deadline.map_or(Ok(()), |deadline| rows.remind(key, deadline))?,
            Some(row) => rows.replace(key, Some(&row), None)?,
            // Removed long before its time was over.
            None => {}
        }
    }
    Ok(keys.len())
}
