//! What is served now, swapped in one step while requests go on with what they took.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;

use super::problem::Problem;
use super::snapshot::Snapshot;

/// All tenants and clients, replaced as a whole while requests go on with what they took.
#[derive(Clone)]
pub struct Registry(Arc<Published>);

struct Published {
    current: ArcSwap<Reading>,
    version: watch::Sender<u64>,
    missing: ArcSwapOption<String>,
}

/// A snapshot and what was wrong with the documents it was read from: swapped together.
struct Reading {
    snapshot: Arc<Snapshot>,
    problems: Arc<Vec<Problem>>,
}

impl Registry {
    /// A registry that begins with `snapshot`, read with `problems`.
    pub fn new(snapshot: Snapshot, problems: Vec<Problem>) -> Self {
        let reading = Reading { snapshot: Arc::new(snapshot), problems: Arc::new(problems) };
        Self(Arc::new(Published {
            current: ArcSwap::from_pointee(reading),
            version: watch::Sender::new(0),
            missing: ArcSwapOption::empty(),
        }))
    }

    /// What is declared now. A request takes it once and keeps it to its end.
    pub fn current(&self) -> Arc<Snapshot> {
        self.0.current.load().snapshot.clone()
    }

    /// What was wrong when [`Registry::current`] was read.
    pub fn problems(&self) -> Arc<Vec<Problem>> {
        self.0.current.load().problems.clone()
    }

    /// Puts a new snapshot in place, in one step, and tells those who wait.
    pub fn replace(&self, snapshot: Snapshot, problems: Vec<Problem>) {
        self.0.current.store(Arc::new(Reading { snapshot: Arc::new(snapshot), problems: Arc::new(problems) }));
        self.0.version.send_modify(|version| *version += 1);
    }

    /// Says that a source of tenants and clients has not been read yet, and why.
    pub fn expect_more(&self, reason: String) {
        self.0.missing.store(Some(Arc::new(reason)));
    }

    /// Says that every source of tenants and clients has been read.
    pub fn complete(&self) {
        self.0.missing.store(None);
    }

    /// Why [`Registry::current`] is not all that is declared; `None` once every source has been read.
    pub fn missing(&self) -> Option<Arc<String>> {
        self.0.missing.load_full()
    }

    /// Counts the replacements; changes after each.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.current();
        write!(f, "Registry({} tenants, {} clients)", current.tenant_count(), current.client_count())
    }
}
