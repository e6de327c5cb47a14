//! The contract that every backend keeps: a handful of verbs over bytes under keys.

use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;

use super::change::Change;
use super::foreign::Foreign;

/// Some members of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Perhaps fewer than asked for, also where another page follows.
    pub members: Vec<T>,
    /// After what the next page begins; `None`: this is the last one.
    pub next: Option<String>,
}

impl Page<String> {
    /// The keys of a page of `limit` in their order: as many as that, and there may be more.
    pub(super) fn of_keys(members: Vec<String>, limit: usize) -> Self {
        let next = members.last().filter(|_| members.len() == limit).cloned();
        Self { members, next }
    }
}

/// The port: bytes under keys. Every verb is atomic, and acknowledged only when it is as durable as the backend gets.
///
/// Every error carries [`crate::protocol::error::Unavailable`] as context when the backend could not be reached, or
/// cannot write. A change that ends in such an error may have happened all the same.
///
/// A record whose time is over is gone for every verb; for at least as long as it was to be kept, it is there. Groups
/// are a property of the records in them: a group has no life of its own. All keys and groups of one call begin with
/// the same hash tag.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Makes all `changes` in one step, none of which names a key of another. `false`: one of them depends on something
    /// that is not so, and nothing has happened.
    async fn commit(&self, changes: Arc<[Change]>) -> Result<bool>;
    /// What is under `key`.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;
    /// Marks one more use of `key`: the number of uses with this one, and what is under it.
    async fn consume(&self, key: &str) -> Result<Option<(u64, Vec<u8>)>>;
    /// All values in `group` that are still there, in no order.
    async fn members(&self, group: &str) -> Result<Vec<Vec<u8>>>;
    /// At most `limit` values in `group` that are still there, those after `after`, which an earlier page has named. The
    /// order is the backend's own. A member that is there from the first page to the last one, and is kept as long as
    /// before, is shown once.
    async fn page(&self, group: &str, after: Option<&str>, limit: usize) -> Result<Page<Vec<u8>>>;
    /// The number of living members of `group`; some that have ended a moment ago may be among them.
    async fn count(&self, group: &str) -> Result<usize>;
    /// Removes every member of `group`, in one step, and the group.
    async fn remove_group(&self, group: &str) -> Result<()>;
    /// Removes one key; answers whether it was there. Of many removals at the same time, one answers yes.
    async fn remove(&self, key: &str) -> Result<bool>;
    /// Whether the backend answers.
    async fn ping(&self) -> Result<()>;
    /// What another program may keep beside our rows; `None` for a backend that is not shared.
    fn foreign(&self) -> Option<&dyn Foreign> {
        None
    }
    /// Whether keys that begin alike lie side by side, so that changing them together costs less.
    fn keeps_neighbours_together(&self) -> bool {
        false
    }
    /// Drops what has expired; a backend that does so by itself does nothing.
    async fn sweep(&self) -> Result<()> {
        Ok(())
    }
    /// Prepares for the end of the process. Without it nothing is lost, but the next start has more to do, and an earlier
    /// version may refuse what it finds.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
