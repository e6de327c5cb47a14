//! The key news: one small record for the whole store says which tenants' keys changed lately. Every replica reads it once
//! per second, which works on any store and costs the same for one tenant and for ten thousand.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::clock::Timestamp;
use crate::key::replicas::heartbeat::HEARTBEAT_LIFE;
use crate::store::{Loaded, Record, Store};

/// Which tenants' keys changed lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyNews {
    /// Grows with each change.
    pub revision: u64,
    /// The last changes: revision and tenant.
    pub recent: Vec<(u64, String)>,
    /// Up to this revision, `recent` is incomplete.
    #[serde(default)]
    pub forgotten: u64,
    /// When they were restarted, because the store had lost them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_at: Option<Timestamp>,
}

impl Record for KeyNews {
    const KIND: &'static str = "key-news";
}

/// What changed since a revision.
#[derive(Debug, PartialEq, Eq)]
pub enum Since {
    /// Nothing.
    Nothing,
    /// These tenants' keys.
    Tenants(BTreeSet<String>),
    /// More than the news still contain.
    Everything,
    /// The news are older than the revision: the store has lost writes.
    Lost,
}

const NEWS: &str = "news";
const KEPT: usize = 64;
const ATTEMPTS: usize = 100;
/// Counting never gets there; a larger revision is damage.
const LAST_REVISION: u64 = u64::MAX / 4;

impl KeyNews {
    /// Adds a change of `tenant`'s keys.
    pub fn add(&mut self, tenant: &str) -> u64 {
        self.revision += 1;
        // Of the changes of one tenant, the last one is enough.
        self.recent.retain(|(_, other)| other != tenant);
        self.recent.push((self.revision, tenant.into()));
        for (revision, _) in self.recent.drain(..self.recent.len().saturating_sub(KEPT)) {
            self.forgotten = self.forgotten.max(revision);
        }
        self.revision
    }

    /// Restarts the news after a loss, unless another replica did: all replicas that have seen no more than `seen` read
    /// everything again.
    pub fn restart(&mut self, seen: u64, now: Timestamp) {
        if self.revision < seen {
            // Far ahead, so that no replica has seen this revision under another meaning.
            *self = Self { restarted_at: Some(now), ..Self::begin(Timestamp(now.0.max(seen.cast_signed() + 1000))) };
        }
    }

    /// The first news. Their revision is the time, which no earlier news of this store can have reached: replicas that have
    /// seen earlier ones read everything again.
    pub fn begin(now: Timestamp) -> Self {
        let revision = now.0.max(1).cast_unsigned();
        Self { revision, recent: Vec::new(), forgotten: revision, restarted_at: None }
    }

    /// Whether all heartbeats of living replicas can be expected to be there: after a loss it takes a while.
    pub fn are_settled(&self, now: Timestamp) -> bool {
        self.restarted_at.is_none_or(|at| now >= at + HEARTBEAT_LIFE)
    }

    /// What a replica that has seen everything up to `seen` has missed.
    pub fn since(&self, seen: u64) -> Since {
        if self.revision < seen {
            return Since::Lost;
        }
        if self.revision == seen {
            return Since::Nothing;
        }
        if seen < self.forgotten {
            return Since::Everything;
        }
        let changed = self.recent.iter().filter(|(revision, _)| *revision > seen);
        Since::Tenants(changed.map(|(_, tenant)| tenant.clone()).collect())
    }
}

/// The current news; empty if there are none yet.
pub async fn read(store: &Store) -> Result<KeyNews> {
    Ok(load(store).await?.map(|loaded| loaded.record).unwrap_or_default())
}

/// The news as they are stored. Damaged news count as lost, and every replica reads everything again.
async fn load(store: &Store) -> Result<Option<Loaded<KeyNews>>> {
    let lost = |cause: String| {
        warn!(cause, "the key news are taken as lost");
        KeyNews::default()
    };
    let mut loaded = store.load_or(NEWS, |error| lost(format!("{error:#}"))).await.context("the key news")?;
    if let Some(loaded) = loaded.as_mut().filter(|loaded| loaded.record.revision > LAST_REVISION) {
        loaded.record = lost(format!("revision {} is out of range", loaded.record.revision));
    }
    Ok(loaded)
}

/// Begins the news if there are none; answers their revision. Without them, an emptied store would look like a new one.
pub async fn begin(store: &Store, now: Timestamp) -> Result<u64> {
    let begin = |news: &mut KeyNews| {
        if news.revision == 0 {
            *news = KeyNews::begin(now);
        }
        news.revision
    };
    match read(store).await?.revision {
        0 => change(store, begin).await,
        revision => Ok(revision),
    }
}

/// Tells all replicas that `tenant`'s keys changed; answers the revision. Call it after the change is stored.
pub async fn tell(store: &Store, tenant: &str) -> Result<u64> {
    change(store, |news| news.add(tenant)).await
}

/// Makes every replica read everything again: the store has lost news up to `seen`. Answers the new revision.
pub async fn tell_everything(store: &Store, seen: u64, now: Timestamp) -> Result<u64> {
    change(store, |news| {
        news.restart(seen, now);
        news.revision
    })
    .await
}

async fn change(store: &Store, mut change: impl FnMut(&mut KeyNews) -> u64) -> Result<u64> {
    for _ in 0..ATTEMPTS {
        let loaded = load(store).await?;
        let mut news = loaded.as_ref().map(|loaded| loaded.record.clone()).unwrap_or_default();
        let revision = change(&mut news);
        if store.replace(NEWS, loaded.as_ref(), &news, &[], None).await.context("the key news")? {
            return Ok(revision);
        }
    }
    bail!("the key news change too fast; tried {ATTEMPTS} times")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(names: &[&str]) -> Since {
        Since::Tenants(names.iter().map(|name| (*name).into()).collect())
    }

    #[test]
    fn the_news_tell_what_was_missed_or_that_they_cannot() {
        let mut news = KeyNews::default();
        assert_eq!(news.since(0), Since::Nothing);
        assert_eq!((news.add("a"), news.add("b"), news.add("a")), (1, 2, 3));
        assert_eq!(news.since(0), tenants(&["a", "b"]));
        assert_eq!(news.since(2), tenants(&["a"]));
        assert_eq!(news.since(3), Since::Nothing);
        assert_eq!(news.since(4), Since::Lost);
        for number in 0..KEPT {
            news.add(&number.to_string());
        }
        assert_eq!(news.recent.len(), KEPT);
        assert_eq!(news.since(2), Since::Everything);
        assert!(matches!(news.since(3), Since::Tenants(missed) if missed.len() == KEPT));
    }
}
