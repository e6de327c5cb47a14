//! One backend of each kind, with a way to let time pass for it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use uitsmijter::store::settings::{RedisSettings, StoreSettings};
use uitsmijter::store::{Backend, Change, Entry, open};

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

/// Changes one by one, as most promises speak of them.
#[async_trait]
pub(crate) trait OneChange: Backend {
    async fn put(&self, key: &str, value: &[u8], groups: &[String], keep: Duration) -> anyhow::Result<()> {
        let put = Change::Put(entry(key, value, groups, Some(keep)));
        self.commit([put].into()).await.map(|done| assert!(done, "nothing speaks against it"))
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
        groups: &[String],
        keep: Option<Duration>,
    ) -> anyhow::Result<bool> {
        let expected = expected.map(<[u8]>::to_vec);
        self.commit([Change::Replace { expected, entry: entry(key, new, groups, keep) }].into()).await
    }
}

impl<B: Backend + ?Sized> OneChange for B {}

pub(crate) fn entry(key: &str, value: &[u8], groups: &[String], keep: Option<Duration>) -> Entry {
    Entry { key: key.to_owned(), value: value.to_vec(), groups: groups.to_vec(), keep }
}

/// The backend that `settings` describe.
pub(crate) async fn open_redis(settings: RedisSettings) -> anyhow::Result<Arc<dyn Backend>> {
    let settings = StoreSettings { path: None, redis: Some(settings) };
    open(&settings, Arc::new(ManualClock::default())).await
}
