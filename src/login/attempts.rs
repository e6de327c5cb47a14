//! How often somebody may try: counted in the store, so that all replicas count together.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use crate::clock::Timestamp;
use crate::store::{Contended, Record, Replacement, Store};

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
    const KIND: &'static str = "rate-limit";
    /// Two records had this kind. Attempts that an earlier version counted still count, or a guesser would begin anew with
    /// the upgrade. While both versions run, the earlier one does not see ours: until its last replica stops, somebody may
    /// get the limit once more from it. Can go one release later, as no window is longer than a day.
    const EARLIER_KIND: Option<&'static str> = Some("attempts");
}

/// How many attempts of `who` an earlier version counted.
async fn earlier(store: &Store, who: &str) -> Result<u32> {
    Ok(store.get_earlier::<Attempts>(who).await?.map_or(0, |attempts| attempts.count))
}

impl Limit {
    /// The same as [`Limit::take`], for what strangers can count without end: it is written into the ledger.
    pub(super) async fn take_noted(&self, ledger: Ledger<'_>, who: &str) -> Result<bool> {
        let has = self.take(ledger.store, who, ledger.now).await?;
        if has {
            ledger.note::<Attempts>(who, 1, ledger.now + self.window).await?;
        }
        Ok(has)
    }

    /// Whether `who` has an attempt left, without using one.
    pub async fn permits(&self, store: &Store, who: &str) -> Result<bool> {
        let (attempts, earlier) = tokio::try_join!(store.get::<Attempts>(who), earlier(store, who))?;
        Ok(attempts.map_or(0, |attempts| attempts.count) + earlier < self.attempts)
    }

    /// Uses one attempt of `who`; gives `false` when none is left. Of many at the same time, none is counted less.
    pub async fn take(&self, store: &Store, who: &str, now: Timestamp) -> Result<bool> {
        let left = self.attempts.saturating_sub(earlier(store, who).await?);
        let count = |before: Option<&Attempts>| {
            let before = before.cloned().unwrap_or(Attempts { count: 0, until: now + self.window });
            let next = Attempts { count: before.count + 1, ..before };
            (before.count < left).then(|| Replacement::until(next.until, next))
        };
        // Whom a hundred others overtake has none left for now.
        Contended::or(false, store.update(who, count).await)
    }
}
