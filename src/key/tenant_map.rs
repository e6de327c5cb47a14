//! A map by tenant, with tens of thousands of entries, that every request reads without a lock.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwap;

type Shard<V> = ArcSwap<HashMap<Arc<str>, Arc<V>>>;

/// Names to shared values. An insertion copies a shard, so there are many small ones.
pub struct TenantMap<V> {
    shards: Vec<Shard<V>>,
    hasher: RandomState,
}

const SHARDS: usize = 128;

impl<V> Default for TenantMap<V> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(), hasher: RandomState::new() }
    }
}

impl<V> TenantMap<V> {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<Arc<V>> {
        self.shard(name).load().get(name).cloned()
    }

    /// The value of `name`, made by `make` if there is none; all callers get the same one.
    pub fn get_or_insert(&self, name: &str, make: impl FnOnce() -> V) -> Arc<V> {
        if let Some(value) = self.get(name) {
            return value;
        }
        let made = Arc::new(make());
        self.shard(name).rcu(|map| {
            let mut map = HashMap::clone(map);
            map.entry(name.into()).or_insert_with(|| made.clone());
            map
        });
        self.get(name).unwrap_or(made)
    }

    /// Sets the value of `name`.
    pub fn insert(&self, name: &str, value: Arc<V>) {
        self.shard(name).rcu(|map| {
            let mut map = HashMap::clone(map);
            map.insert(name.into(), value.clone());
            map
        });
    }

    /// All values; insertions of this moment may be missing.
    pub fn values(&self) -> Vec<Arc<V>> {
        self.shards.iter().flat_map(|shard| shard.load().values().cloned().collect::<Vec<_>>()).collect()
    }

    fn shard(&self, name: &str) -> &Shard<V> {
        // The remainder is below SHARDS, so it fits.
        &self.shards[usize::try_from(self.hasher.hash_one(name) % SHARDS as u64).unwrap_or_default()]
    }
}
