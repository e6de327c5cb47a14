//! From settings to a backend.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use super::backend::Backend;
use super::memory;
#[cfg(feature = "embedded")]
use super::redb;
#[cfg(feature = "redis")]
use super::redis;
use super::settings::{RedisSettings, StoreSettings};
use crate::clock::Clock;

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
async fn open_redis(settings: &RedisSettings) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(redis::Redis::open(settings).await?))
}

#[cfg(not(feature = "redis"))]
async fn open_redis(_: &RedisSettings) -> Result<Arc<dyn Backend>> {
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
