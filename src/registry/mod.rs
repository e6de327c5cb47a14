//! What operators declare: tenants and clients, as one snapshot that a request takes once and keeps.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::Serialize;
use tokio::sync::watch;

mod building;
mod change;
pub mod client;
mod client_check;
mod client_spec;
pub mod demo;
pub mod document;
pub mod file;
mod host_table;
mod known_keys;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(not(feature = "kubernetes"))]
#[path = "no_kubernetes.rs"]
pub mod kubernetes;
mod parsed;
pub mod reload;
pub mod resources;
pub mod secrets;
mod shared_map;
pub mod snapshot;
pub mod spelling;
pub mod tenant;
mod tenant_check;
mod tenant_spec;
mod written;

pub use snapshot::Snapshot;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is served, and the operator should know something about it.
    Warning,
    /// It is not served as it was written.
    Error,
}

/// Something that an operator should put right, as a sentence that says what to write where.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file and line, or the resource.
    pub source: String,
    /// What it is about: `tenant NAME`, `client NAME`; empty where that could not be read.
    pub entity: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether it is over as soon as something else is declared that may be on its way.
    #[serde(skip)]
    pub awaits: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}: ", self.source)?;
        if !self.entity.is_empty() {
            write!(f, "{}: ", self.entity)?;
        }
        f.write_str(&self.message)
    }
}

/// All tenants and clients, replaced as a whole while requests go on with what they took.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
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
        Self(Arc::new(Inner {
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
