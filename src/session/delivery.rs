//! Logout tokens on their way to clients: kept until they arrive, so that a replica that ends takes none of them along.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::participant::Participant;
use crate::clock::Timestamp;
use crate::store::{Record, Replacement, Store, group};

/// How long after the time of its next try a delivery is left to whoever has it; then that replica has ended.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many deliveries are read at once.
const AT_ONCE: usize = 500;
/// A delivery that nobody finished is given up.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// One client that is to hear of the end of one session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// The tenant of both.
    pub tenant: String,
    /// Who is to hear of it.
    pub participant: Participant,
    /// How often it failed so far.
    pub failures: usize,
    /// When it is tried next.
    next_at: Timestamp,
}

impl Record for Delivery {
    const KIND: &'static str = "delivery";
}

impl Delivery {
    /// A delivery that is tried at once.
    pub fn new(tenant: &str, participant: Participant, now: Timestamp) -> Self {
        Self { tenant: tenant.to_owned(), participant, failures: 0, next_at: now }
    }

    /// Counts a failure; the next try comes after `pause`.
    pub fn postpone(&mut self, now: Timestamp, pause: Duration) {
        self.failures += 1;
        self.next_at = now + pause;
    }

    /// Keeps it as it is.
    pub async fn keep(&self, store: &Store, now: Timestamp) -> Result<()> {
        everybodys(store).put(&self.id(), self, &[deliveries()], now + LIFETIME).await
    }

    /// It arrived, or nobody tries again.
    pub async fn finish(&self, store: &Store) -> Result<()> {
        everybodys(store).remove::<Self>(&self.id()).await.map(drop)
    }

    /// All that are under way, of every tenant.
    pub async fn pending(store: &Store) -> Result<Vec<Self>> {
        everybodys(store).members(&deliveries()).await
    }

    /// Takes over what nobody has tried for too long; of many replicas that look, one gets each.
    pub async fn take_over(store: &Store, now: Timestamp) -> Result<Vec<Self>> {
        let store = everybodys(store);
        let mut taken = Vec::new();
        let mut after = None;
        loop {
            // There may be thousands, and other requests want their turn at Redis.
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

    /// Takes this one over, unless somebody tries it.
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

/// Outside of all tenants, so that a replica finds what is left of all of them by one question.
fn everybodys(store: &Store) -> Store {
    store.within("*")
}

fn deliveries() -> String {
    group("all", "deliveries")
}
