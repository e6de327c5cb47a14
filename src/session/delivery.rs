//! Logout tokens on their way to clients: stored until they arrive, so that none is lost when a replica stops.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::participant::Participant;
use crate::clock::Timestamp;
use crate::store::{Record, Replacement, Store, group};

/// How long after its next attempt is due a delivery stays with its replica; after that the replica must have stopped.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many deliveries are read at a time.
const AT_ONCE: usize = 500;
/// How long an unfinished delivery is kept.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// A client that has to be told of the end of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// The tenant of the client and the session.
    pub tenant: String,
    /// The client and the session.
    pub participant: Participant,
    /// The number of failed attempts.
    pub failures: usize,
    /// When the next attempt is due.
    next_at: Timestamp,
}

impl Record for Delivery {
    const KIND: &'static str = "delivery";
}

impl Delivery {
    /// A delivery that is due at once.
    pub fn new(tenant: &str, participant: Participant, now: Timestamp) -> Self {
        Self { tenant: tenant.to_owned(), participant, failures: 0, next_at: now }
    }

    /// Counts a failure; the next attempt comes after `pause`.
    pub fn postpone(&mut self, now: Timestamp, pause: Duration) {
        self.failures += 1;
        self.next_at = now + pause;
    }

    /// Stores it.
    pub async fn keep(&self, store: &Store, now: Timestamp) -> Result<()> {
        outside_tenants(store).put(&self.id(), self, &[deliveries()], now + LIFETIME).await
    }

    /// Removes it once it has arrived or is given up.
    pub async fn finish(&self, store: &Store) -> Result<()> {
        outside_tenants(store).remove::<Self>(&self.id()).await.map(drop)
    }

    /// All pending deliveries of every tenant.
    pub async fn pending(store: &Store) -> Result<Vec<Self>> {
        outside_tenants(store).members(&deliveries()).await
    }

    /// Takes over overdue deliveries; of many replicas that try, one gets each.
    pub async fn take_over(store: &Store, now: Timestamp) -> Result<Vec<Self>> {
        let store = outside_tenants(store);
        let mut taken = Vec::new();
        let mut after = None;
        loop {
            // There may be thousands, and other requests are waiting for Redis.
            let page = store.page::<Self>(&deliveries(), after.as_deref(), AT_ONCE).await?;
            for delivery in page.members {
                taken.extend(delivery.take(&store, now).await?);
            }
            after = page.next;
            if after.is_none() {
                return Ok(taken);
            }
        }
    }

    /// Takes this one over if it is overdue.
    async fn take(self, store: &Store, now: Timestamp) -> Result<Option<Self>> {
        let mut own = None;
        let take = |found: Option<&Self>| {
            let left = found.filter(|found| found.next_at + PATIENCE <= now);
            own = left.map(|left| Self { next_at: now, ..left.clone() });
            let (groups, expires_at) = (vec![deliveries()], Some(now + LIFETIME));
            own.clone().map(|record| Replacement { record, groups, expires_at })
        };
        store.update(&self.id(), take).await?;
        Ok(own)
    }

    /// None of the three has a line break.
    fn id(&self) -> String {
        format!("{}\n{}\n{}", self.tenant, self.participant.sid, self.participant.client_id)
    }
}

/// Outside all tenants, so that a replica finds the deliveries of all of them with one query.
fn outside_tenants(store: &Store) -> Store {
    store.within("*")
}

fn deliveries() -> String {
    group("all", "deliveries")
}
