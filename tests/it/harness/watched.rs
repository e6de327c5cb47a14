//! A store that counts what is written to it and can be away: the real one, seen from outside.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow};
use async_trait::async_trait;
use tokio::sync::Notify;
use uitsmijter::protocol::error::Unavailable;
use uitsmijter::store::{Backend, Change, Page};

/// The backend behind the watch.
pub(crate) struct Watched {
    inner: Arc<dyn Backend>,
    writes: AtomicUsize,
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
            away: AtomicBool::new(false),
            holds: Mutex::default(),
            wanted: Notify::new(),
            goes_on: Notify::new(),
        }
    }

    /// How often something was put, used up or removed so far.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// From here on nothing can be reached, or everything again.
    pub(crate) fn go_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Whoever wants to change a record of this kind next does so only when the test says [`Watched::go_on`].
    pub(crate) fn hold_the_next(&self, kind: &'static str) {
        *self.holds.lock().unwrap() = Some(kind);
    }

    fn holds(&self, changes: &[Change]) -> bool {
        let is_of = |kind: &mut &'static str| changes.iter().any(|change| change.key().contains(&format!("}}{kind}:")));
        self.holds.lock().unwrap().take_if(is_of).is_some()
    }

    /// Waits until somebody wants to.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Ends the wait of whoever is held.
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
        self.write()?.commit(changes).await
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
        self.write()?.remove(key).await
    }

    async fn ping(&self) -> Result<()> {
        self.reach()?.ping().await
    }
}
