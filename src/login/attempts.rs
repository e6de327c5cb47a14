//! How often somebody may try: counted in the store, so that all replicas count together.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::store::{Record, Store};

/// So many attempts within so much time, from the first one on.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// How many.
    pub attempts: u32,
    /// Within which time.
    pub window: Duration,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Attempts {
    count: u32,
    until: Timestamp,
}

impl Record for Attempts {
    const KIND: &'static str = "attempts";
}

impl Limit {
    /// Whether `who` has an attempt left, without using one.
    pub async fn permits(&self, store: &Store, who: &str) -> Result<bool> {
        let attempts = store.get::<Attempts>(who).await?;
        Ok(attempts.is_none_or(|attempts| attempts.count < self.attempts))
    }

    /// Uses one attempt of `who`; gives `false` when none is left. Of many at the same time, none is counted less.
    pub async fn take(&self, store: &Store, who: &str, now: Timestamp) -> Result<bool> {
        loop {
            let loaded = store.load::<Attempts>(who).await?;
            let next = match &loaded {
                None => Attempts { count: 1, until: now + self.window },
                Some(loaded) if loaded.record.count >= self.attempts => return Ok(false),
                Some(loaded) => Attempts { count: loaded.record.count + 1, ..loaded.record.clone() },
            };
            if store.replace(who, loaded.as_ref(), &next, &[], Some(next.until)).await? {
                return Ok(true);
            }
        }
    }
}
