//! What a replica records between rotations: how long its tokens live, the algorithm of access tokens, and newer seals.

use std::time::Duration;

use anyhow::Result;
use tracing::info;

use crate::key::key_ring::KeyRing;
use crate::key::keychain::Keychain;
use crate::key::record::KeySet;
use crate::key::snapshot::Snapshot;

/// How far ahead the last expiry is recorded, so that a busy tenant writes once per hour and not at each tick.
const AHEAD: Duration = Duration::from_secs(60 * 60);

impl Keychain {
    /// Records how long the tokens live that this replica signed. No token's safety depends on it (see the first page of
    /// [`crate::key`]); it tells people when a key is really done with.
    pub(super) async fn write_expiries(&self, ring: &KeyRing) -> Result<()> {
        let unwritten = ring.snapshot().map(|set| set.unwritten_expiries()).unwrap_or_default();
        if !unwritten.is_empty() {
            let raise = |set: &mut KeySet| {
                unwritten
                    .iter()
                    .fold(false, |raised, (kid, latest)| set.raise_last_expiry(kid, *latest + AHEAD) || raised)
            };
            self.change(ring, raise).await?;
        }
        Ok(())
    }

    /// Records the algorithm of access tokens, once it can sign and only once: replicas that disagree during a roll-out do
    /// not overrule each other for ever.
    pub(in crate::key) async fn note_access(&self, ring: &KeyRing) -> Result<()> {
        let (access, now) = (ring.plan.load().access, self.keys.clock.now());
        // An older version that changes the set forgets it.
        let is_open = |set: &Snapshot| set.set().access.is_none() || ring.noted() != Some(access);
        let Some(snapshot) = ring.snapshot().filter(|set| !self.settings.shared && is_open(set)) else {
            return Ok(());
        };
        if access.is_asymmetric() && snapshot.set().signing(access, now).is_none() {
            return Ok(());
        }
        if snapshot.set().access != Some(access) {
            self.change(ring, |set| set.access.replace(access) != Some(access)).await?;
        }
        ring.set_noted(access);
        Ok(())
    }

    /// Seals with the first secret the private halves that are sealed with another one, or not at all.
    pub(super) async fn seal_again(&self, ring: &KeyRing) -> Result<()> {
        let custody = &self.keys.custody;
        if !ring.snapshot().is_some_and(|set| custody.should_seal_again(set.set())) {
            return Ok(());
        }
        let turn = ring.turn().await;
        let sealed = self.keys.update(&ring.name, |set| custody.seal_again(&ring.name, set)).await?;
        if let Some((loaded, changed)) = sealed {
            turn.install(loaded, &self.keys);
            if changed {
                info!(tenant = %ring.name, "signing keys are sealed with the first of the secrets now");
            }
        }
        Ok(())
    }
}
