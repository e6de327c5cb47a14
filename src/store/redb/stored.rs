//! A row as the file holds it, in the tables and in the journal.

use crate::clock::Timestamp;
use crate::store::rows::Row;

/// A row: uses, deadline, groups, value.
pub(super) type Stored = (u64, Option<i64>, Vec<&'static str>, &'static [u8]);
pub(super) fn encode(row: &Row) -> (u64, Option<i64>, Vec<&str>, &[u8]) {
    let groups = row.groups.iter().map(String::as_str).collect();
    (row.uses, row.deadline.map(|at| at.0), groups, &row.value)
}

pub(super) fn decode((uses, deadline, groups, value): (u64, Option<i64>, Vec<&str>, &[u8])) -> Row {
    let groups = groups.into_iter().map(str::to_owned).collect();
    Row { value: value.to_vec(), uses, deadline: deadline.map(Timestamp), groups }
}
