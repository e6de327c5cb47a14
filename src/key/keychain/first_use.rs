//! The first use of a tenant's keys: they are loaded, adopted or made.

use anyhow::{Result, ensure};
use tracing::{info, warn};

use crate::key::key_ring::KeyRing;
use crate::key::keychain::Keychain;
use crate::key::older::adopt::adopt;
use crate::key::record::KeySet;
use crate::key::replicas::heartbeat::Heartbeat;
use crate::key::replicas::news;

impl Keychain {
    /// Loads the set of `ring`, or makes it if there is none. However many tasks and replicas do so at the same time, one
    /// set comes out: the tasks of a replica take turns, and among replicas the first compare-and-set wins.
    pub(in crate::key) async fn first_use(&self, ring: &KeyRing) -> Result<()> {
        if ring.snapshot().is_some() {
            return Ok(());
        }
        // The others must know of this replica before it publishes anything that they might change.
        self.ensure_announced().await?;
        let turn = ring.turn().await;
        if ring.snapshot().is_some() {
            return Ok(());
        }
        loop {
            let loaded = self.keys.load(&ring.name).await?;
            if let Some(loaded) = loaded.as_ref().filter(|loaded| !loaded.record.keys.is_empty()) {
                turn.install(loaded.clone(), &self.keys);
                self.log_signing(ring);
                return Ok(());
            }
            self.ensure_common_secret(ring).await?;
            let (first, reason) = self.first_set(ring).await?;
            if self.keys.replace(&ring.name, loaded.as_ref(), first).await? {
                self.count_rotation(ring, reason);
                // For replicas that remember keys of this tenant: the store has lost them, and they put them back.
                if let Err(error) = news::tell(&self.keys.store, &ring.name).await {
                    let cause = format!("{error:#}");
                    warn!(tenant = %ring.name, cause, "others learn of the first signing keys later");
                }
            }
        }
    }

    /// Refuses to make a key if earlier replicas have secrets, and none that this one has: then this one was given a wrong
    /// secret. Later replicas do not count, because the wrong secret may be theirs.
    async fn ensure_common_secret(&self, ring: &KeyRing) -> Result<()> {
        let own = self.keys.custody.sealer.names();
        if own.is_empty() {
            return Ok(());
        }
        let others = Heartbeat::all(&self.keys.store).await?;
        let since = others.iter().find(|beat| beat.replica == self.presence.name).map(|beat| beat.started_at);
        let earlier = others.iter().filter(|beat| since.is_some_and(|since| beat.started_at < since));
        let sealing: Vec<_> =
            earlier.filter_map(|beat| beat.opens.as_ref()).filter(|names| !names.is_empty()).collect();
        ensure!(
            sealing.is_empty() || sealing.iter().any(|names| !names.is_disjoint(&own)),
            "no signing key is made for tenant {}, because no replica that was there before has the SIGNING_KEY_SECRET of \
             this one and could open it",
            ring.name
        );
        Ok(())
    }

    /// The first keys of `ring`, those of an older layout or new ones, and the reason to count them under.
    async fn first_set(&self, ring: &KeyRing) -> Result<(KeySet, &'static str)> {
        let plan = ring.plan.load_full();
        let grace = plan.policy.grace.as_secs();
        if let Some(set) = adopt(&self.keys, &ring.name, grace).await? {
            info!(tenant = %ring.name, keys = set.keys.len(), "adopted the signing keys of the older layout");
            return Ok((set, "adopted"));
        }
        let (mut set, now) = (KeySet::default(), self.keys.clock.now());
        if !self.settings.shared {
            set.move_to(plan.access, &ring.name, now, now);
        }
        for algorithm in &plan.algorithms {
            set.keys.push(self.keys.make_first(&ring.name, *algorithm, grace).await?);
        }
        Ok((set, "first"))
    }
}
