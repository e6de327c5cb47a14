//! What the status of tenant and client resources says, and which replica writes it.

use std::collections::BTreeMap;

use anyhow::Result;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock::Timestamp;
use crate::registry::client::Client;
use crate::registry::resources::{StatusSource, TenantFigures};
use crate::registry::{Problem, Snapshot};
use crate::session::record::all_sessions;
use crate::store::{Contended, Record, Replacement, Store};
use crate::token::grant_record::grants_of_client;

/// How long a replica stays the writer without renewing its lease.
const LEASE: std::time::Duration = std::time::Duration::from_secs(90);
/// How long refusals are remembered after the last one.
const REMEMBER: std::time::Duration = std::time::Duration::from_secs(400 * 86_400);

/// The lease of the replica that writes.
#[derive(Serialize, Deserialize)]
struct StatusWriter {
    replica: String,
}

impl Record for StatusWriter {
    const KIND: &'static str = "status-writer";
}

/// How often the clients of a tenant were refused, at all replicas.
#[derive(Clone, Default, Serialize, Deserialize)]
struct DeniedAttempts {
    by_client: BTreeMap<String, i64>,
}

impl Record for DeniedAttempts {
    const KIND: &'static str = "denied-attempts";
}

/// The id of a record that exists once.
const ONLY: &str = "all";

/// One replica's knowledge.
pub struct ResourceStatus {
    app: App,
    replica: String,
}

impl ResourceStatus {
    /// What `app` knows.
    pub fn new(app: App) -> Self {
        let replica = app.services.random.token();
        Self { app, replica }
    }

    /// Takes the lease if it is free, and renews it if it is ours.
    async fn lease(&self) -> Result<bool> {
        let until = self.app.services.clock.now() + LEASE;
        let own = || Replacement::until(until, StatusWriter { replica: self.replica.clone() });
        let take = |held: Option<&StatusWriter>| held.is_none_or(|held| held.replica == self.replica).then(own);
        self.app.store.update(ONLY, take).await
    }

    /// Lets another replica write at once, when this one stops.
    pub async fn resign(&self) -> Result<()> {
        let now = self.app.services.clock.now();
        let end = |own: &StatusWriter| Replacement::until(now, StatusWriter { replica: own.replica.clone() });
        let leave = |held: Option<&StatusWriter>| held.filter(|held| held.replica == self.replica).map(end);
        self.app.store.update(ONLY, leave).await.map(drop)
    }

    /// Adds the counts of this replica to those of all; what cannot be added is lost, because it is only a statistic.
    async fn tell_denied(&self) -> Result<()> {
        let mut by_tenant: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for ((tenant, client), count) in self.app.services.metrics.denied.take() {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            by_tenant.entry(tenant.to_string()).or_default().insert(client.to_string(), count);
        }
        for (tenant, counted) in by_tenant {
            add(&self.app.store.within(tenant), &counted, self.app.services.clock.now() + REMEMBER).await?;
        }
        Ok(())
    }
}

async fn add(store: &Store, counted: &BTreeMap<String, i64>, until: Timestamp) -> Result<()> {
    let sum = |before: Option<&DeniedAttempts>| {
        let mut sum = before.cloned().unwrap_or_default();
        for (client, count) in counted {
            let total = sum.by_client.entry(client.clone()).or_default();
            *total = total.saturating_add(*count);
        }
        Some(Replacement::until(until, sum))
    };
    Contended::or(false, store.update(ONLY, sum).await).map(drop)
}

#[async_trait]
impl StatusSource for ResourceStatus {
    async fn may_write(&self) -> bool {
        // Every replica counts, one writes. An outage of the store is logged where it is noticed.
        drop(self.tell_denied().await);
        self.lease().await.unwrap_or(false)
    }

    async fn of_tenant(&self, tenant: &str) -> TenantFigures {
        let store = self.app.store.within(tenant);
        let sessions = store.count(&all_sessions()).await.ok();
        let denied = store.get::<DeniedAttempts>(ONLY).await.ok().map(Option::unwrap_or_default);
        TenantFigures {
            sessions: sessions.and_then(|sessions| i64::try_from(sessions).ok()),
            denied: denied.map(|denied| denied.by_client),
        }
    }

    async fn grants_of(&self, client: &Client) -> Option<i64> {
        let grants = self.app.store.within(client.tenant.clone()).count(&grants_of_client(&client.ident)).await.ok()?;
        i64::try_from(grants).ok()
    }

    fn conflicts(&self, snapshot: &Snapshot) -> Vec<Problem> {
        self.app.settings.conflicts(snapshot)
    }

    fn now(&self) -> String {
        self.app.services.clock.now().to_string()
    }
}
