//! What outlives a request: typed records over a small contract that every backend keeps.
//!
//! The backend sees digests, never a code or a token. Expiry is decided here, against the injected [`Clock`]; the
//! backend's own expiry is only housekeeping. Every key carries its tenant, so that nothing of one tenant can be found
//! by another, and so that all keys of a tenant live in one slot of a Redis Cluster.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Timestamp};

mod batch;
mod change;
mod grouped;
pub mod memory;
#[cfg(feature = "embedded")]
pub mod redb;
#[cfg(feature = "redis")]
pub mod redis;
mod rows;
pub mod settings;
mod update;

pub use batch::Batch;
pub use change::{Change, Entry};
pub use settings::StoreSettings;
pub use update::{Contended, Replacement, TRIES};

/// Opens the store that `settings` choose: Redis, a file, or the memory of this process. `clock` tells the embedded
/// store what is overdue; Redis has a clock of its own.
pub async fn open(settings: &StoreSettings, clock: Arc<dyn Clock>) -> Result<Arc<dyn Backend>> {
    match (&settings.redis, &settings.path) {
        (Some(redis), path) => {
            if let Some(path) = path {
                tracing::warn!("state lives in Redis; the store {} is not used", path.display());
            }
            open_redis(redis).await
        }
        (None, Some(path)) => open_file(path.clone(), clock).await,
        (None, None) => Ok(Arc::new(memory::Memory::new(clock))),
    }
}

#[cfg(feature = "redis")]
async fn open_redis(settings: &settings::RedisSettings) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(redis::Shared::open(settings).await?))
}

#[cfg(not(feature = "redis"))]
async fn open_redis(_: &settings::RedisSettings) -> Result<Arc<dyn Backend>> {
    anyhow::bail!("the settings ask for Redis, but this program was built without it (feature `redis`)")
}

#[cfg(feature = "embedded")]
async fn open_file(path: PathBuf, clock: Arc<dyn Clock>) -> Result<Arc<dyn Backend>> {
    // Verifying a big file takes a moment.
    Ok(Arc::new(tokio::task::spawn_blocking(move || redb::Embedded::open(&path, clock)).await??))
}

#[cfg(not(feature = "embedded"))]
async fn open_file(path: PathBuf, _: Arc<dyn Clock>) -> Result<Arc<dyn Backend>> {
    let path = path.display();
    anyhow::bail!("the settings name the store {path}, but this program was built without it (feature `embedded`)")
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
    /// Marks one more use of `key`: how often it has been used by now (1 for the first), and what is under it.
    async fn consume(&self, key: &str) -> Result<Option<(u64, Vec<u8>)>>;
    /// All values in `group` that are still there, in no order.
    async fn members(&self, group: &str) -> Result<Vec<Vec<u8>>>;
    /// How many members of `group` are still there, at most those whose time is over by a moment.
    async fn count(&self, group: &str) -> Result<usize>;
    /// Removes every member of `group`, in one step, and the group.
    async fn remove_group(&self, group: &str) -> Result<()>;
    /// Removes one key; answers whether it was there. Of many who remove it at the same time, one is told so.
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
    /// Leaves everything as it rests best, before the process ends. Without it nothing is lost, but the next start has
    /// more to do, and an earlier version may not understand what it finds.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// What another program keeps in the same store, under its own keys and without our prefix.
#[async_trait]
pub trait Foreign: Send + Sync {
    /// The text under `key`.
    async fn text(&self, key: &str) -> Result<Option<String>>;
    /// The members and scores of the sorted set under `key`.
    async fn sorted_set(&self, key: &str) -> Result<Vec<(String, f64)>>;
    /// Removes what is under `keys`.
    async fn remove(&self, keys: &[String]) -> Result<()>;
}

/// A thing that can be stored. Unknown members are ignored and new ones have defaults, because two versions of the
/// server may share one store.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// The first part of its key, for instance `code`.
    const KIND: &'static str;
    /// The kind of the record beside which it lies, where a backend keeps neighbours together: its own id then begins with
    /// the id of that record and a dot. An id without a dot has no neighbour.
    const BESIDE: Option<&'static str> = None;
}

/// What [`Store::consume`] found.
#[derive(Debug)]
pub enum Consumed<R> {
    /// Nobody has used it before.
    First(R),
    /// It has been used before, and this is what it was.
    Again(R),
}

/// A record as it was read, with the proof that [`Store::replace`] needs.
#[derive(Clone, Debug)]
pub struct Loaded<R> {
    /// The record.
    pub record: R,
    raw: Vec<u8>,
}

impl<R> Loaded<R> {
    /// Whether both were read from the same bytes.
    pub fn is_same(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

/// The typed handle to one tenant's part of the store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    space: Arc<str>,
}

#[derive(Serialize, Deserialize)]
struct Envelope<R> {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    record: R,
}

impl Store {
    /// A handle to what belongs to no tenant.
    pub fn new(backend: Arc<dyn Backend>, clock: Arc<dyn Clock>) -> Self {
        Self { backend, clock, space: "*".into() }
    }

    /// The same store, as `tenant` sees it.
    pub fn within(&self, tenant: impl Into<Arc<str>>) -> Self {
        Self { backend: self.backend.clone(), clock: self.clock.clone(), space: tenant.into() }
    }

    /// Several changes that happen in one step or not at all; none yet.
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self)
    }

    /// Stores `record` under `id` until `expires_at`, as a member of `groups` (see [`group`]).
    pub async fn put<R: Record>(&self, id: &str, record: &R, groups: &[String], expires_at: Timestamp) -> Result<()> {
        self.batch().put(id, record, groups, expires_at)?.commit().await.map(drop)
    }

    /// The record under `id`, unless it has expired.
    pub async fn get<R: Record>(&self, id: &str) -> Result<Option<R>> {
        Ok(self.load(id).await?.map(|loaded| loaded.record))
    }

    /// Like [`Store::get`], with what [`Store::replace`] needs to know that nobody was faster.
    pub async fn load<R: Record>(&self, id: &str) -> Result<Option<Loaded<R>>> {
        let Some(raw) = self.backend.get(&self.key::<R>(id)).await? else { return Ok(None) };
        let record = self.open(&raw)?;
        Ok(record.map(|record| Loaded { record, raw }))
    }

    /// Like [`Store::load`], for what can be made anew: a record that cannot be read counts as what `instead` makes of the
    /// reason, and can be replaced.
    pub async fn load_or<R: Record>(
        &self,
        id: &str,
        instead: impl FnOnce(anyhow::Error) -> R,
    ) -> Result<Option<Loaded<R>>> {
        let Some(raw) = self.backend.get(&self.key::<R>(id)).await? else { return Ok(None) };
        let record = self.open(&raw).unwrap_or_else(|error| Some(instead(error)));
        Ok(record.map(|record| Loaded { record, raw }))
    }

    /// Uses the record under `id` up: [`Consumed::First`] is answered exactly once, however many ask at the same time.
    pub async fn consume<R: Record>(&self, id: &str) -> Result<Option<Consumed<R>>> {
        let Some((uses, raw)) = self.backend.consume(&self.key::<R>(id)).await? else { return Ok(None) };
        let consumed = |record| if uses == 1 { Consumed::First(record) } else { Consumed::Again(record) };
        Ok(self.open(&raw)?.map(consumed))
    }

    /// Puts `new` under `id` if what is there is still `expected` (`None`: nothing, or something expired); answers
    /// whether it did. Without `expires_at` it stays for good.
    pub async fn replace<R: Record>(
        &self,
        id: &str,
        expected: Option<&Loaded<R>>,
        new: &R,
        groups: &[String],
        expires_at: Option<Timestamp>,
    ) -> Result<bool> {
        self.batch().replace(id, expected, new, groups, expires_at)?.commit().await
    }

    /// Removes the record under `id`; answers whether this call is the one that removed it.
    pub async fn remove<R: Record>(&self, id: &str) -> Result<bool> {
        self.backend.remove(&self.key::<R>(id)).await
    }

    /// All living records in the group; every member must be of the kind `R`.
    pub async fn members<R: Record>(&self, group: &str) -> Result<Vec<R>> {
        let values = self.backend.members(&self.prefixed(group)).await?;
        values.iter().filter_map(|raw| self.open(raw).transpose()).collect()
    }

    /// Like [`Store::members`], for records that come again by themselves: `skip` is told of those that cannot be read.
    pub async fn readable_members<R: Record>(&self, group: &str, skip: impl Fn(anyhow::Error)) -> Result<Vec<R>> {
        let values = self.backend.members(&self.prefixed(group)).await?;
        let open = |raw: &Vec<u8>| self.open(raw).map_err(&skip).ok().flatten();
        Ok(values.iter().filter_map(open).collect())
    }

    /// How many living records are in the group.
    pub async fn count(&self, group: &str) -> Result<usize> {
        self.backend.count(&self.prefixed(group)).await
    }

    /// Removes everything in the group at once.
    pub async fn remove_group(&self, group: &str) -> Result<()> {
        self.backend.remove_group(&self.prefixed(group)).await
    }

    /// Whether the store answers.
    pub async fn ping(&self) -> Result<()> {
        self.backend.ping().await
    }

    /// Drops what has expired, where the backend does not do so by itself.
    pub async fn sweep(&self) -> Result<()> {
        self.backend.sweep().await
    }

    /// Leaves everything as it rests best, before the process ends.
    pub async fn close(&self) -> Result<()> {
        self.backend.close().await
    }

    /// What another program may keep beside our rows; `None` if the backend is not shared.
    pub fn foreign(&self) -> Option<&dyn Foreign> {
        self.backend.foreign()
    }

    /// The backend itself, for what is not a record of ours.
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    fn open<R: Record>(&self, raw: &[u8]) -> Result<Option<R>> {
        let envelope: Envelope<R> =
            serde_json::from_slice(raw).with_context(|| format!("a stored {} cannot be read", R::KIND))?;
        Ok((!self.has_expired(envelope.expires_at)).then_some(envelope.record))
    }

    fn has_expired(&self, expires_at: Option<Timestamp>) -> bool {
        expires_at.is_some_and(|at| at <= self.clock.now())
    }

    fn keep(&self, expires_at: Timestamp) -> Duration {
        // A second more, so that the clock decides and never the housekeeping.
        expires_at.since(self.clock.now()) + Duration::from_secs(1)
    }

    fn key<R: Record>(&self, id: &str) -> String {
        let own = format!("{}:{}", R::KIND, digest(id));
        match R::BESIDE.zip(id.split_once('.')) {
            Some((kind, (neighbour, _))) if self.backend.keeps_neighbours_together() => {
                self.prefixed(&format!("{kind}:{}/{own}", digest(neighbour)))
            }
            _ => self.prefixed(&own),
        }
    }

    fn grouped(&self, groups: &[String]) -> Vec<String> {
        groups.iter().map(|group| self.prefixed(group)).collect()
    }

    fn prefixed(&self, name: &str) -> String {
        // The braces are Redis Cluster's hash tag. A tenant's name cannot contain them (registry/tenant.rs).
        format!("{{{}}}{name}", self.space)
    }
}

/// The name of the group of `kind` with this `id`, for instance of a token family.
pub fn group(kind: &str, id: &str) -> String {
    format!("group:{kind}:{}", digest(id))
}

/// The name under which the store keeps an id: its SHA-256, so that what leaks from a store opens nothing.
pub fn digest(id: &str) -> String {
    digest_of(id.as_bytes())
}

/// SHA-256 as unpadded base64url: 43 characters.
pub fn digest_of(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}
