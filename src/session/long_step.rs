//! Sealed steps that are too long for a URL: stored as they are, in a fixed number of places for all tenants together.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::store::slots::{Slots, Wish};
use crate::store::{Record, Store};

/// How many places there are, for all tenants together.
const PLACES: u32 = 1024;
/// How many of them the steps of one tenant share.
const OF_A_TENANT: u32 = 256;
/// How many of those one address may have.
const OF_AN_ADDRESS: u32 = 16;

/// The longest sealed step that is stored, in bytes: with `PLACES`, the bound of what strangers can fill.
pub const LONGEST: usize = 24 * 1024;

/// What the reference of a stored step begins with; no name of a key has this length.
const MARK: &str = "long.";

/// A sealed step. It opens only for its own browser and tenant, like every other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LongStep {
    /// As it would stand in a URL.
    pub sealed: String,
}

impl Record for LongStep {
    const KIND: &'static str = "long-step";
}

/// Who wants to have a step stored.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// A keyed digest of the tenant and the network of the browser.
    pub who: [u8; 32],
    /// A keyed digest of the tenant.
    pub tenant: [u8; 32],
    /// By chance.
    pub begin: u32,
}

impl LongStep {
    /// Stores the step under the random `token` until `until`; `store` is the whole store, of no tenant. Gives its
    /// reference, or `None` when all places are taken for now.
    pub async fn keep(
        self,
        store: &Store,
        asker: Asker,
        token: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<String>> {
        let wish = Wish { who: asker.who, begin: asker.begin, id: token, until };
        let slots = slots_of(asker.tenant);
        let kept = slots.take(store, wish, now, |batch, place| {
            let batch = batch.put(token, &self, &[], until)?;
            Ok(place.former.into_iter().fold(batch, |batch, former| batch.remove::<Self>(former)))
        });
        Ok(kept.await?.then(|| format!("{MARK}{token}")))
    }

    /// The token of `value`, if it is the reference of a stored step.
    pub fn token_of(value: &str) -> Option<&str> {
        value.strip_prefix(MARK)
    }
}

/// A tenant has a quarter of the places, so that a flood at one of them leaves room at most others.
fn slots_of(tenant: [u8; 32]) -> Slots {
    let quarter = u32::from(tenant[0]) % (PLACES / OF_A_TENANT);
    Slots { name: "long-steps", first: quarter * OF_A_TENANT, number: OF_A_TENANT, share: OF_AN_ADDRESS }
}
