//! A store that counts its writes and can become unavailable: the real one behind a wrapper.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow};
use async_trait::async_trait;
use tokio::sync::Notify;
use uitsmijter::protocol::error::Unavailable;
use uitsmijter::store::{Backend, Change, Page};

/// The wrapped backend.
pub(crate) struct Watched {
    inner: Arc<dyn Backend>,
    writes: AtomicUsize,
    /// The keys of what was put and not removed since, also of what is over.
    keys: Mutex<HashSet<String>>,
    away: AtomicBool,
    holds: Mutex<Option<&'static str>>,
    wanted: Notify,
    goes_on: Notify,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Backend>) -> Self {
        Self {
            inner,
            writes: AtomicUsize::new(0),
            keys: Mutex::default(),
            away: AtomicBool::new(false),
            holds: Mutex::default(),
            wanted: Notify::new(),
            goes_on: Notify::new(),
        }
    }

    /// The number of writes and removals so far.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// How many rows it has, those included that are over and not yet swept up.
    pub(crate) fn rows(&self) -> usize {
        self.keys.lock().unwrap().len()
    }

    fn note(&self, changes: &[Change]) {
        let mut keys = self.keys.lock().unwrap();
        for change in changes {
            match change {
                Change::Put(entry) | Change::Replace { entry, .. } => drop(keys.insert(entry.key.clone())),
                Change::Remove(key) | Change::Take { key, .. } => drop(keys.remove(key)),
                Change::UseFirst(_) | Change::Require(_) => {}
            }
        }
    }

    /// Makes the store unavailable, or available again.
    pub(crate) fn go_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Holds the next change of a record of this kind until the test calls [`Watched::go_on`].
    pub(crate) fn hold_the_next(&self, kind: &'static str) {
        *self.holds.lock().unwrap() = Some(kind);
    }

    fn holds(&self, changes: &[Change]) -> bool {
        let is_of = |kind: &mut &'static str| changes.iter().any(|change| change.key().contains(&format!("}}{kind}:")));
        self.holds.lock().unwrap().take_if(is_of).is_some()
    }

    /// Waits until a change is held.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Lets the held change go on.
    pub(crate) fn go_on(&self) {
        self.goes_on.notify_one();
    }

    fn reach(&self) -> Result<&dyn Backend> {
        if self.away.load(Ordering::SeqCst) {
            return Err(anyhow!("connection refused").context(Unavailable("the store")));
        }
        Ok(&*self.inner)
    }

    fn write(&self) -> Result<&dyn Backend> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.reach()
    }
}

#[async_trait]
impl Backend for Watched {
    async fn commit(&self, changes: Arc<[Change]>) -> Result<bool> {
        if self.holds(&changes) {
            self.wanted.notify_one();
            self.goes_on.notified().await;
        }
        let done = self.write()?.commit(Arc::clone(&changes)).await?;
        if done {
            self.note(&changes);
        }
        Ok(done)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.reach()?.get(key).await
    }

    async fn consume(&self, key: &str) -> Result<Option<(u64, Vec<u8>)>> {
        self.write()?.consume(key).await
    }

    async fn members(&self, group: &str) -> Result<Vec<Vec<u8>>> {
        self.reach()?.members(group).await
    }

    async fn page(&self, group: &str, after: Option<&str>, limit: usize) -> Result<Page<Vec<u8>>> {
        self.reach()?.page(group, after, limit).await
    }

    async fn count(&self, group: &str) -> Result<usize> {
        self.reach()?.count(group).await
    }

    async fn remove_group(&self, group: &str) -> Result<()> {
        self.write()?.remove_group(group).await
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        self.keys.lock().unwrap().remove(key);
        self.write()?.remove(key).await
    }

    async fn ping(&self) -> Result<()> {
        self.reach()?.ping().await
    }
}
