//! What another program keeps in the same store.

use anyhow::Result;
use async_trait::async_trait;

/// Keys of another program, without our prefix.
#[async_trait]
pub trait Foreign: Send + Sync {
    /// The text under `key`.
    async fn text(&self, key: &str) -> Result<Option<String>>;
    /// The members and scores of the sorted set under `key`.
    async fn sorted_set(&self, key: &str) -> Result<Vec<(String, f64)>>;
    /// Removes what is under `keys`.
    async fn remove(&self, keys: &[String]) -> Result<()>;
}
