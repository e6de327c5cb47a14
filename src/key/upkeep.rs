//! What a replica writes down between rotations: what it signed, with what, and sealed by whom.

use std::time::Duration;

use anyhow::Result;
use tracing::info;

use crate::audit;
use crate::key::key_ring::KeyRing;
use crate::key::record::{KeySet, StoredKey};
use crate::key::replicas::heartbeat::Heartbeat;
use crate::key::signer_manager::Shared;
use crate::key::snapshot::Snapshot;
use crate::metrics::Rotation;

/// How far ahead the last expiry is written down, so that a busy tenant writes once per hour and not at each tick.
const AHEAD: Duration = Duration::from_secs(60 * 60);

impl Shared {
    /// Writes down how long the tokens live that this replica signed. No token's safety depends on it (see the module);
    /// it tells people when a key is really done with.
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

    /// Writes down what access tokens are signed with, as soon as that is what the tenant wants, and once: replicas that
    /// disagree during a roll-out do not overrule each other for ever.
    pub(super) async fn note_access(&self, ring: &KeyRing) -> Result<()> {
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

    /// Seals private halves with the first secret that are sealed with another one, or not at all.
    pub(super) async fn seal_again(&self, ring: &KeyRing) -> Result<()> {
        let sealer = &self.keys.sealer;
        let outdated = |set: &KeySet| {
            set.keys
                .iter()
                .any(|key| key.private.as_ref().is_some_and(|half| sealer.is_outdated(half) && sealer.knows(half)))
        };
        if !ring.snapshot().is_some_and(|set| outdated(set.set())) {
            return Ok(());
        }
        let _turn = ring.turn.lock().await;
        let sealed = self.keys.update(&ring.name, |set| self.keys.seal_again(&ring.name, set)).await?;
        if let Some((loaded, changed)) = sealed {
            ring.install(loaded, &self.keys);
            if changed {
                info!(tenant = %ring.name, "Signing keys are sealed with the first of the secrets now");
            }
        }
        Ok(())
    }

    /// Counts and writes down the keys that sign at once by an operator's order: a command has no log and no metrics. All
    /// replicas hear of it, and the first of them by name says so.
    pub(super) async fn tell_orders(&self, ring: &KeyRing, before: &KeySet) {
        let (Some(snapshot), now) = (ring.snapshot(), self.keys.clock.now()) else { return };
        let set = snapshot.set();
        let was_ordered = |kid: &str| before.key(kid).is_some_and(|key| key.at_once);
        let signing = set.algorithms(now).into_iter().filter_map(|algorithm| set.signing(algorithm, now));
        let ordered: Vec<&StoredKey> = signing.filter(|key| key.at_once && !was_ordered(key.kid())).collect();
        if ordered.is_empty() || set.restored != before.restored {
            return;
        }
        // Whoever cannot ask leaves it to the others.
        let living = Heartbeat::all(&self.keys.store).await.unwrap_or_default();
        if living.iter().map(|beat| &beat.replica).min() != Some(&self.presence.name) {
            return;
        }
        for key in ordered {
            let (tenant, reason) = (ring.name.to_string(), "operator");
            self.keys.metrics.key_rotations.get_or_create(&Rotation { tenant, reason }).inc();
            audit::key_rotated(ring.name.as_ref(), key.kid(), reason);
        }
    }
}
