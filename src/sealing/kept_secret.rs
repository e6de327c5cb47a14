//! The secret that the store keeps for all replicas where none is configured.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::root::Root;
use crate::clock::Timestamp;
use crate::random::Random;
use crate::store::{Record, Store, digest};

/// After how long an unknown name is reason enough for another look.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// After how long another look is taken in any case: a store that was emptied gets its secret back, or has a new one.
const FRESH: Duration = Duration::from_secs(60);
/// How many secrets are remembered: more than one only after the store lost its record.
const REMEMBERED: usize = 3;

/// The record. It has no Debug on purpose.
#[derive(Clone, Serialize, Deserialize)]
struct KeptSecret {
    secret: String,
}

impl Record for KeptSecret {
    const KIND: &'static str = "sealing-secret";
}

const ID: &str = "steps";

/// What the store kept at the last look.
pub(super) struct Kept {
    /// The present secret first.
    roots: Vec<std::sync::Arc<Root>>,
    present: KeptSecret,
    pub(super) looked_at: Timestamp,
}

impl Kept {
    /// Looks into the store. With `make`, a secret that is missing there is put back as it was `known`, or made: of many
    /// replicas that do so at once, one wins.
    pub(super) async fn look(
        store: &Store,
        known: Option<&Self>,
        now: Timestamp,
        random: &dyn Random,
        make: bool,
    ) -> Result<Option<Self>> {
        let mut found = store.get::<KeptSecret>(ID).await?;
        if found.is_none() && make {
            let own = known.map_or_else(|| KeptSecret { secret: random.token() }, |known| known.present.clone());
            store.replace(ID, None, &own, &[], None).await?;
            found = store.get::<KeptSecret>(ID).await?;
        }
        let before = known.map(|known| known.roots.as_slice()).unwrap_or_default();
        let Some(present) = found.or_else(|| known.map(|known| known.present.clone())) else { return Ok(None) };
        let name = name_of(&present);
        let root = match before.iter().find(|root| root.name == name) {
            Some(root) => root.clone(),
            None => Root::derive(&name, present.secret.as_bytes(), true)?.into(),
        };
        let others = before.iter().filter(|other| other.name != name).cloned();
        let roots = std::iter::once(root).chain(others).take(REMEMBERED).collect();
        Ok(Some(Self { roots, present, looked_at: now }))
    }

    /// The one that seals.
    pub(super) fn current(&self) -> &Root {
        &self.roots[0]
    }

    /// The one of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Root> {
        self.roots.iter().map(|root| &**root).find(|root| root.name == name)
    }

    /// Whether no other look is due.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.looked_at) < FRESH
    }
}

/// 256 bits of chance have no need for a slow digest.
fn name_of(kept: &KeptSecret) -> String {
    digest(&format!("name of a sealing secret\n{}", kept.secret)).chars().take(8).collect()
}
