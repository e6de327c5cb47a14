//! The shared store, for several replicas: one Redis, one behind sentinels, or a cluster.
//!
//! Every verb is one command or one script, so it happens in one step (`scripts.rs`). How a lost connection is
//! replaced is in `keeper.rs`, and which commands are repeated in `link.rs`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;

use super::backend::{Backend, Page};
use super::change::{Change, Entry};
use super::foreign::Foreign;
use super::settings::RedisSettings;

mod dial;
mod fate;
mod keeper;
mod link;
mod scripts;

use ::redis::FromRedisValue;
use link::{Effect, Link};
use scripts::Script;

/// A hundred years. Redis counts milliseconds, and refuses what would overflow.
const LONGEST_KEEP: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The largest page, within what Lua counts exactly.
const MOST_AT_ONCE: usize = 1 << 30;

/// The backend that keeps everything in Redis.
pub struct Redis {
    link: Link,
    prefix: String,
}

impl Redis {
    /// Connects as `settings` say. Waits a few seconds for a Redis that is not there yet, then fails with a sentence
    /// that names host and port; a wrong password fails at once.
    pub async fn open(settings: &RedisSettings) -> Result<Self> {
        let (target, name) = dial::target(settings)?;
        let response_timeout = Duration::from_millis(settings.response_timeout_ms);
        let link = Link::open(target, name, response_timeout).await?;
        Ok(Self { link, prefix: settings.prefix.clone() })
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// By its name, which is short; with its text where Redis does not know it, as after a restart or a failover.
    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        effect: Effect,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<T> {
        match self.link.query(&script.by_name(keys, arguments), effect).await {
            Err(error) if error.unknown_script() => {
                Ok(self.link.query(&script.by_text(keys, arguments), effect).await?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn change<T: FromRedisValue>(&self, script: &Script, key: &str, arguments: &[&[u8]]) -> Result<T> {
        self.run(script, Effect::Change, &[self.name(key)], arguments).await
    }
}

/// A Redis that is out of memory refuses a script by its first write, unless that is a removal (`scripts.rs`).
fn removals_last(changes: &[Change]) -> impl Iterator<Item = &Change> {
    let (removals, others): (Vec<_>, Vec<_>) =
        changes.iter().partition(|change| matches!(change, Change::Remove(_) | Change::Take { .. }));
    others.into_iter().chain(removals)
}

/// What a change is called in [`scripts::COMMIT`], what it puts, and what it expects.
fn spelled(change: &Change) -> (&'static str, Option<&Entry>, &[u8]) {
    match change {
        Change::Put(entry) => ("put", Some(entry), &[]),
        Change::Replace { expected: Some(expected), entry } => ("replace", Some(entry), expected),
        Change::Replace { expected: None, entry } => ("create", Some(entry), &[]),
        Change::UseFirst(_) => ("use", None, &[]),
        Change::Require(_) => ("require", None, &[]),
        Change::Remove(_) => ("remove", None, &[]),
        Change::Take { expected, .. } => ("take", None, expected),
    }
}

fn milliseconds(keep: Duration) -> String {
    // Rounded up, because it is a minimum.
    (keep.min(LONGEST_KEEP) + Duration::from_nanos(999_999)).as_millis().max(1).to_string()
}

#[async_trait]
impl Backend for Redis {
    async fn commit(&self, changes: Arc<[Change]>) -> Result<bool> {
        let (mut keys, mut arguments) = (Vec::new(), Vec::new());
        for change in removals_last(&changes) {
            let (kind, entry, expected) = spelled(change);
            let groups = entry.map_or(&[][..], |entry| &entry.groups);
            keys.push(self.name(change.key()));
            keys.extend(groups.iter().map(|group| self.name(group)));
            let keep = entry.and_then(|entry| entry.keep).map(milliseconds).unwrap_or_default();
            let value = entry.map_or(&[][..], |entry| &entry.value);
            arguments.push(Cow::Borrowed(kind.as_bytes()));
            arguments.push(Cow::Owned(groups.len().to_string().into_bytes()));
            arguments.extend([Cow::Borrowed(value), Cow::Owned(keep.into_bytes()), Cow::Borrowed(expected)]);
        }
        let arguments: Vec<&[u8]> = arguments.iter().map(AsRef::as_ref).collect();
        self.run(&scripts::COMMIT, Effect::Change, &keys, &arguments).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let mut command = ::redis::cmd("HGET");
        command.arg(self.name(key)).arg("value");
        Ok(self.link.query(&command, Effect::Read).await?)
    }

    async fn consume(&self, key: &str) -> Result<Option<(u64, Vec<u8>)>> {
        self.change(&scripts::CONSUME, key, &[]).await
    }

    async fn members(&self, group: &str) -> Result<Vec<Vec<u8>>> {
        self.run(&scripts::MEMBERS, Effect::Read, &[self.name(group)], &[]).await
    }

    async fn page(&self, group: &str, after: Option<&str>, limit: usize) -> Result<Page<Vec<u8>>> {
        let (ends, key) = after.and_then(|after| after.split_once(' ')).unwrap_or_default();
        let limit = limit.min(MOST_AT_ONCE).to_string();
        let arguments = [ends.as_bytes(), key.as_bytes(), limit.as_bytes()];
        let (next, members): (String, _) =
            self.run(&scripts::PAGE, Effect::Read, &[self.name(group)], &arguments).await?;
        Ok(Page { members, next: Some(next).filter(|next| !next.is_empty()) })
    }

    async fn count(&self, group: &str) -> Result<usize> {
        self.run(&scripts::COUNT, Effect::Read, &[self.name(group)], &[]).await
    }

    async fn remove_group(&self, group: &str) -> Result<()> {
        self.change(&scripts::REMOVE_GROUP, group, &[]).await
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        self.change(&scripts::REMOVE, key, &[]).await
    }

    fn foreign(&self) -> Option<&dyn Foreign> {
        Some(self)
    }

    /// In a cluster: whether all slots are served.
    async fn ping(&self) -> Result<()> {
        self.link.ping().await
    }
}

#[async_trait]
impl Foreign for Redis {
    async fn text(&self, key: &str) -> Result<Option<String>> {
        Ok(self.link.query(::redis::cmd("GET").arg(key), Effect::Read).await?)
    }

    async fn sorted_set(&self, key: &str) -> Result<Vec<(String, f64)>> {
        let mut command = ::redis::cmd("ZRANGE");
        command.arg(key).arg(0).arg(-1).arg("WITHSCORES");
        Ok(self.link.query(&command, Effect::Read).await?)
    }

    async fn remove(&self, keys: &[String]) -> Result<()> {
        // One by one: in a cluster they are on different nodes.
        for key in keys {
            let _: u64 = self.link.query(::redis::cmd("UNLINK").arg(key), Effect::Change).await?;
        }
        Ok(())
    }
}
