//! Typed changes that happen in one step, or not at all: what must not be seen half done, or should not cost two round
//! trips to the store.

use std::sync::Arc;

use anyhow::{Context, Result};
use serde::de::IgnoredAny;

use super::change::{Change, Entry};
use super::record::{Envelope, Loaded, Record};
use super::typed::Store;
use crate::clock::Timestamp;

/// Changes to one tenant's part of the store. No two of them may be about the same record.
#[must_use = "nothing happens before `commit`"]
pub struct Batch<'s> {
    store: &'s Store,
    changes: Vec<Change>,
}

impl Store {
    /// Several changes that happen in one step or not at all; none yet.
    pub fn batch(&self) -> Batch<'_> {
        Batch { store: self, changes: Vec::new() }
    }
}

impl Batch<'_> {
    /// Stores `record` under `id` until `expires_at`, as a member of `groups`, whatever is there.
    ///
    /// Errors: it cannot be written as JSON.
    pub fn put<R: Record>(self, id: &str, record: &R, groups: &[String], expires_at: Timestamp) -> Result<Self> {
        let entry = self.entry(id, record, groups, Some(expires_at))?;
        Ok(self.with(Change::Put(entry)))
    }

    /// Stores `new` under `id` if what is there is still `expected` (`None`: nothing, or something expired). Without
    /// `expires_at` it stays for good.
    ///
    /// Errors: it cannot be written as JSON.
    pub fn replace<R: Record>(
        self,
        id: &str,
        expected: Option<&Loaded<R>>,
        new: &R,
        groups: &[String],
        expires_at: Option<Timestamp>,
    ) -> Result<Self> {
        let entry = self.entry(id, new, groups, expires_at)?;
        Ok(self.with(Change::Replace { expected: expected.map(|loaded| loaded.raw.clone()), entry }))
    }

    /// Uses the record under `id` up, if it is there and unused (see [`Store::consume`]).
    pub fn use_first<R: Record>(self, id: &str) -> Self {
        let key = self.store.key::<R>(id);
        self.with(Change::UseFirst(key))
    }

    /// Changes nothing, and depends on the record under `id`: it must be there.
    pub fn require<R: Record>(self, id: &str) -> Self {
        let key = self.store.key::<R>(id);
        self.with(Change::Require(key))
    }

    /// Removes the record under `id`, whether it is there or not.
    pub fn remove<R: Record>(self, id: &str) -> Self {
        let key = self.store.key::<R>(id);
        self.with(Change::Remove(key))
    }

    /// Removes the record whose id has this [`digest`](super::digest), whether it is there or not; of a kind that lies beside
    /// no other.
    pub fn remove_digest<R: Record>(self, digest: &str) -> Self {
        let key = self.store.key_of_digest::<R>(digest);
        self.with(Change::Remove(key))
    }

    /// Removes the record under `id` if it is still as it was `loaded`.
    pub fn take<R: Record>(self, id: &str, loaded: &Loaded<R>) -> Self {
        let key = self.store.key::<R>(id);
        self.with(Change::Take { key, expected: loaded.raw.clone() })
    }

    /// Makes the changes. `false`: one of them depends on something that is not so, and nothing has happened.
    pub async fn commit(self) -> Result<bool> {
        if self.changes.is_empty() {
            return Ok(true);
        }
        let backend = &self.store.backend;
        let changes: Arc<[Change]> = self.changes.into();
        if backend.commit(Arc::clone(&changes)).await? {
            return Ok(true);
        }
        match over_what_expired(self.store, &changes).await? {
            Some(changes) => backend.commit(changes).await,
            None => Ok(false),
        }
    }

    /// Whether there is nothing to change, and nothing to depend on.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn with(mut self, change: Change) -> Self {
        debug_assert!(self.changes.iter().all(|other| other.key() != change.key()), "two changes of one key");
        self.changes.push(change);
        self
    }

    fn entry<R: Record>(
        &self,
        id: &str,
        record: &R,
        groups: &[String],
        expires_at: Option<Timestamp>,
    ) -> Result<Entry> {
        Ok(Entry {
            key: self.store.key::<R>(id),
            value: serde_json::to_vec(&Envelope { expires_at, record })?,
            groups: self.store.grouped(groups),
            keep: expires_at.map(|at| self.store.keep(at)),
        })
    }
}

/// A backend may still hold what has expired by our clock, which no caller can load and so replace. Gives the same changes
/// with what is there as expected, where they expect nothing; `None` if there is nothing of the kind.
async fn over_what_expired(store: &Store, changes: &[Change]) -> Result<Option<Arc<[Change]>>> {
    let mut over = changes.to_vec();
    let mut found = false;
    for change in &mut over {
        let Change::Replace { expected: expected @ None, entry } = change else { continue };
        let Some(raw) = store.backend.get(&entry.key).await? else { continue };
        let envelope: Envelope<IgnoredAny> = serde_json::from_slice(&raw).context("a stored record cannot be read")?;
        if !store.has_expired(envelope.expires_at) {
            return Ok(None);
        }
        *expected = Some(raw);
        found = true;
    }
    Ok(found.then(|| over.into()))
}
