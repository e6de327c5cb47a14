//! The typed handle to a store: records in place of bytes, expiry by our clock, each tenant for itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::backend::{Backend, Page};
use super::foreign::Foreign;
use super::record::{Consumed, Envelope, Loaded, Record, digest};
use crate::clock::{Clock, Timestamp};

/// The typed handle to one tenant's part of the store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    space: Arc<str>,
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

    /// Stores `record` under `id` until `expires_at`, as a member of `groups` (see [`group`](super::group)).
    pub async fn put<R: Record>(&self, id: &str, record: &R, groups: &[String], expires_at: Timestamp) -> Result<()> {
        self.batch().put(id, record, groups, expires_at)?.commit().await.map(drop)
    }

    /// The record under `id`, unless it has expired.
    pub async fn get<R: Record>(&self, id: &str) -> Result<Option<R>> {
        Ok(self.load(id).await?.map(|loaded| loaded.record))
    }

    /// What an earlier version stored under `id`, as a record of [`Record::EARLIER_KIND`].
    pub async fn get_earlier<R: Record>(&self, id: &str) -> Result<Option<R>> {
        let Some(kind) = R::EARLIER_KIND else { return Ok(None) };
        let key = self.prefixed(&format!("{kind}:{}", digest(id)));
        self.backend.get(&key).await?.map_or(Ok(None), |raw| self.open(&raw))
    }

    /// Like [`Store::get`], with what [`Store::replace`] compares.
    pub async fn load<R: Record>(&self, id: &str) -> Result<Option<Loaded<R>>> {
        let Some(raw) = self.backend.get(&self.key::<R>(id)).await? else { return Ok(None) };
        let record = self.open(&raw)?;
        Ok(record.map(|record| Loaded { record, raw }))
    }

    /// Like [`Store::load`], for what can be made again: in place of a record that cannot be read, it answers what `instead`
    /// makes of the reason, and that can be replaced.
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

    /// Like [`Store::members`], for records that are written again and again: those that cannot be read go to `skip`.
    pub async fn readable_members<R: Record>(&self, group: &str, skip: impl Fn(anyhow::Error)) -> Result<Vec<R>> {
        let values = self.backend.members(&self.prefixed(group)).await?;
        let open = |raw: &Vec<u8>| self.open(raw).map_err(&skip).ok().flatten();
        Ok(values.iter().filter_map(open).collect())
    }

    /// Like [`Store::members`], at most `limit` of them, and those after `after`; see [`Backend::page`].
    pub async fn page<R: Record>(&self, group: &str, after: Option<&str>, limit: usize) -> Result<Page<R>> {
        let Page { members, next } = self.backend.page(&self.prefixed(group), after, limit).await?;
        let members = members.iter().filter_map(|raw| self.open(raw).transpose()).collect::<Result<_>>()?;
        Ok(Page { members, next })
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

    /// Prepares for the end of the process.
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

    pub(super) fn has_expired(&self, expires_at: Option<Timestamp>) -> bool {
        expires_at.is_some_and(|at| at <= self.clock.now())
    }

    pub(super) fn keep(&self, expires_at: Timestamp) -> Duration {
        // A second more, so that the clock decides and never the housekeeping.
        expires_at.since(self.clock.now()) + Duration::from_secs(1)
    }

    pub(super) fn key<R: Record>(&self, id: &str) -> String {
        let own = format!("{}:{}", R::KIND, digest(id));
        match R::BESIDE.zip(id.split_once('.')) {
            Some((kind, (neighbour, _))) if self.backend.keeps_neighbours_together() => {
                self.prefixed(&format!("{kind}:{}/{own}", digest(neighbour)))
            }
            _ => self.prefixed(&own),
        }
    }

    /// The key of a record without neighbours of whose id the digest is known.
    pub(super) fn key_of_digest<R: Record>(&self, digest: &str) -> String {
        self.prefixed(&format!("{}:{digest}", R::KIND))
    }

    pub(super) fn grouped(&self, groups: &[String]) -> Vec<String> {
        groups.iter().map(|group| self.prefixed(group)).collect()
    }

    fn prefixed(&self, name: &str) -> String {
        // The braces are Redis Cluster's hash tag. A tenant's name cannot contain them (registry/tenant.rs).
        format!("{{{}}}{name}", self.space)
    }
}
