//! Reads tenants' buckets apart from requests: at once, and then once per period.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::bucket::Contents;
use super::s3::{Bucket, Http};
use super::tenant_views::Views;
use crate::outgoing::backends::Backends;
use crate::registry::Registry;
use crate::registry::tenant::Tenant;

/// How many buckets are read at the same time.
const AT_ONCE: usize = 8;
/// How long one reading may take, whatever the store does.
const PATIENCE: Duration = Duration::from_secs(30);
/// A bucket that fails is read less and less often, down to once in so many periods.
const SELDOM: u32 = 10;

/// What every reading needs.
#[derive(Clone)]
struct Reader {
    views: Views,
    http: Http,
    places: Arc<Semaphore>,
    period: Duration,
}

/// Follows the tenants of `registry` for as long as the future is polled, and reads each one's bucket every `period`,
/// at addresses that `backends` allows. /// Tenants without a bucket cost nothing.
pub async fn follow(views: Views, registry: Registry, period: Duration, backends: Backends) {
    let mut changes = registry.subscribe();
    let reader = Reader { views, http: Http::new(backends), places: Arc::new(Semaphore::new(AT_ONCE)), period };
    let mut readings = JoinSet::new();
    let mut running: HashMap<Arc<str>, (Arc<Tenant>, AbortHandle)> = HashMap::new();
    loop {
        // Marked first and read second, so that nothing is missed in between.
        changes.mark_unchanged();
        let snapshot = registry.current();
        let tenants: Vec<_> = snapshot.tenants().filter(|tenant| tenant.templates.is_some()).cloned().collect();
        drop(snapshot);
        reader.views.expect(&tenants);
        let mut before = std::mem::take(&mut running);
        for tenant in tenants {
            let handle = match before.remove(&tenant.name) {
                Some((known, handle)) if Arc::ptr_eq(&known, &tenant) => handle,
                other => {
                    other.inspect(|(_, handle)| handle.abort());
                    readings.spawn(reader.clone().keep_reading(tenant.clone()))
                }
            };
            running.insert(tenant.name.clone(), (tenant, handle));
        }
        before.into_values().for_each(|(_, handle)| handle.abort());
        while readings.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
    }
}

impl Reader {
    /// Reads one tenant's bucket for ever. An outage is logged when it begins, when its reason changes, and when it ends.
    async fn keep_reading(self, tenant: Arc<Tenant>) {
        let (mut contents, mut failures, mut logged) = (None, 0, None);
        loop {
            match self.read(&tenant, contents.as_ref()).await {
                Ok(new) => {
                    if logged.take().is_some() {
                        tracing::info!(tenant = &*tenant.name, "the tenant's bucket can be read again");
                    }
                    failures = 0;
                    contents = new.or(contents);
                }
                Err(error) => {
                    self.views.count_failure(&tenant.name);
                    failures += 1;
                    let cause = format!("{error:#}");
                    if logged.as_ref() != Some(&cause) {
                        tracing::warn!(
                            tenant = &*tenant.name,
                            bucket = tenant.templates.as_ref().map(tracing::field::display),
                            cause,
                            "the tenant's bucket cannot be read; what was read last is shown, at first the default pages"
                        );
                        logged = Some(cause);
                    }
                }
            }
            sleep(pause(self.period, failures)).await;
        }
    }

    /// Reads once, and shows what is new.
    async fn read(&self, tenant: &Arc<Tenant>, before: Option<&Contents>) -> Result<Option<Contents>> {
        let _place = self.places.acquire().await?;
        let place = tenant.templates.as_ref().context("the tenant has no bucket")?;
        let bucket = Bucket::open(place, tenant.namespace.as_deref(), &self.http)?;
        let read = timeout(PATIENCE, Contents::read(&bucket, before)).await.context("it took too long")??;
        let Some(contents) = read else { return Ok(None) };
        let sources = contents.sources();
        tracing::info!(tenant = &*tenant.name, templates = sources.len(), "a tenant's bucket was read");
        if sources.is_empty() {
            tracing::warn!(
                tenant = &*tenant.name,
                bucket = %place,
                "no name directly below the path ends in .html, so the bucket has no templates"
            );
        }
        let (views, tenant) = (self.views.clone(), tenant.clone());
        tokio::task::spawn_blocking(move || views.put(&tenant, sources)).await??;
        Ok(Some(contents))
    }
}

/// How long to wait after that many failures in a row.
fn pause(period: Duration, failures: u32) -> Duration {
    period * 2_u32.saturating_pow(failures).min(SELDOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_stays_away_is_asked_less_and_less() {
        let pauses = [0, 1, 2, 3, 4, 40, u32::MAX].map(|failures| pause(Duration::from_secs(60), failures).as_secs());
        assert_eq!(pauses, [60, 120, 240, 480, 600, 600, 600]);
    }
}
