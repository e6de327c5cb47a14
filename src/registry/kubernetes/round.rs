//! One round of writing statuses, and when it ends early.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::refusals::Refusals;
use crate::registry::resources::StatusSource;

/// How long a replica goes on without renewing its lease: well within the time after which another one may write.
const STILL: Duration = Duration::from_secs(20);

/// Why a round ends before everything was told.
pub(super) enum End {
    /// Another replica writes now.
    Lost,
    /// The API server cannot be spoken to, or does not let us.
    Failed(String),
}

/// What a round goes by.
pub(super) struct Round<'a> {
    pub(super) source: &'a dyn StatusSource,
    pub(super) refusals: &'a Mutex<Refusals>,
    /// When this replica last renewed its lease.
    sure: Mutex<Instant>,
}

impl<'a> Round<'a> {
    /// For a replica that holds the lease.
    pub(super) fn begin(source: &'a dyn StatusSource, refusals: &'a Mutex<Refusals>) -> Self {
        Self { source, refusals, sure: Mutex::new(Instant::now()) }
    }

    /// Goes on, unless another replica writes meanwhile.
    pub(super) async fn still(&self) -> Result<(), End> {
        let is_sure = || lock(&self.sure).elapsed() < STILL;
        if is_sure() {
            return Ok(());
        }
        if !self.source.may_write().await {
            return Err(End::Lost);
        }
        *lock(&self.sure) = Instant::now();
        Ok(())
    }
}

/// What a thread that panicked left behind is as good as before.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
