//! One backend of each kind, with a way to let time pass for it.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use uitsmijter::store::settings::{RedisSettings, StoreSettings};
use uitsmijter::store::{Backend, open};

use crate::harness::fakes::ManualClock;
use crate::harness::redis::RedisServer;

/// A backend, and what it needs to live.
pub(crate) struct Fixture {
    pub(crate) backend: Arc<dyn Backend>,
    time: Time,
    _file: Option<TempDir>,
    _server: Option<RedisServer>,
}

enum Time {
    Manual(ManualClock),
    /// Redis has its own clock, and it goes as it goes.
    Real,
}

impl Fixture {
    pub(crate) async fn memory() -> Self {
        let clock = ManualClock::default();
        let backend = open(&StoreSettings::default(), Arc::new(clock.clone())).await.unwrap();
        Self { backend, time: Time::Manual(clock), _file: None, _server: None }
    }

    pub(crate) async fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::default();
        let settings = StoreSettings { path: Some(folder.path().join("store")), redis: None };
        let backend = open(&settings, Arc::new(clock.clone())).await.unwrap();
        Self { backend, time: Time::Manual(clock), _file: Some(folder), _server: None }
    }

    pub(crate) async fn redis() -> Self {
        let server = RedisServer::start().await;
        let backend = open_redis(server.settings()).await.unwrap();
        Self { backend, time: Time::Real, _file: None, _server: Some(server) }
    }

    /// Lets at least `span` pass, and the housekeeping run.
    pub(crate) async fn let_pass(&self, span: Duration) {
        match &self.time {
            Time::Manual(clock) => clock.advance(span + Duration::from_secs(2)),
            Time::Real => tokio::time::sleep(span + Duration::from_millis(50)).await,
        }
        self.backend.sweep().await.unwrap();
    }
}

/// The backend that `settings` describe.
pub(crate) async fn open_redis(settings: RedisSettings) -> anyhow::Result<Arc<dyn Backend>> {
    let settings = StoreSettings { path: None, redis: Some(settings) };
    open(&settings, Arc::new(ManualClock::default())).await
}
