//! What a replica records between rotations: how long its tokens live, the algorithm of access tokens, and newer seals.

use anyhow::Result;
use tracing::info;

use crate::clock::Timestamp;
use crate::key::hs256::AHEAD;
use crate::key::key_ring::KeyRing;
use crate::key::keychain::Keychain;
use crate::key::record::KeySet;
use crate::key::snapshot::Snapshot;

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
            let longest = now + ring.plan.load().policy.grace;
            self.change(ring, |set| set.move_to(access, &ring.name, now, longest)).await?;
        }
        ring.set_noted(access);
        Ok(())
    }

    /// Puts back what an older version forgot of [`KeySet::hs256_until`] when it changed the set.
    pub(super) async fn keep_hs256(&self, ring: &KeyRing) -> Result<()> {
        if let Some(snapshot) = ring.snapshot()
            && let Some(known) = snapshot.unwritten_hs256()
        {
            self.change(ring, |set| set.raise_all_hs256(known)).await?;
        }
        Ok(())
    }

    /// Records that HS256 is believed of `tenant` until `expires_at`, before a token exists that lives as long.
    pub(in crate::key) async fn cover_hs256(&self, ring: &KeyRing, tenant: &str, expires_at: Timestamp) -> Result<()> {
        let turn = ring.turn().await;
        let now = self.keys.clock.now();
        let is_covered = ring.snapshot().is_none_or(|set| set.covers_hs256(tenant, expires_at));
        // One of those that wait tries it, and again in the next second.
        if is_covered || !ring.may_cover_again(now) {
            return Ok(());
        }
        let longest = now + ring.plan.load().policy.grace;
        let raise = |set: &mut KeySet| Ok(set.raise_hs256(tenant, expires_at + AHEAD, longest));
        if let Some((loaded, _)) = self.keys.update(&ring.name, raise).await? {
            turn.install(loaded, &self.keys);
        }
        Ok(())
    }

    /// Seals with the first secret the private halves that are sealed with another one, or not at all, and gives the set
    /// its MACs once every living replica reads them.
    pub(super) async fn seal_again(&self, ring: &KeyRing) -> Result<()> {
        let (custody, everywhere) = (&self.keys.custody, self.keys.makes_macs());
        let is_due = |set: &KeySet| custody.should_seal_again(set) || custody.should_certify(set, everywhere);
        if !ring.snapshot().is_some_and(|set| is_due(set.set())) {
            return Ok(());
        }
        let turn = ring.turn().await;
        // Whether a key is ours may be known only since every replica makes MACs: it is read again first.
        let seal =
            |set: &mut KeySet| Ok(custody.seal_again(&ring.name, set)? || custody.should_certify(set, everywhere));
        let sealed = self.keys.update(&ring.name, seal).await?;
        if let Some((loaded, changed)) = sealed {
            turn.install(loaded, &self.keys);
            if changed {
                info!(tenant = %ring.name, "signing keys are sealed with the first of the secrets now");
            }
        }
        Ok(())
    }
}
