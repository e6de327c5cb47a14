//! Reading and changing one set: what the store holds is taken over, and what it has lost is put back.

use anyhow::{Result, bail};
use tracing::warn;

use crate::audit;
use crate::key::key_ring::{KeyRing, Turn};
use crate::key::key_store::ensure_ours;
use crate::key::keychain::Keychain;
use crate::key::record::{KeySet, StoredKey};
use crate::key::replicas::heartbeat::Heartbeat;
use crate::key::replicas::news;

/// How often a replica tries to put back what the store lost, while others do so too.
const ATTEMPTS: usize = 10;

impl Keychain {
    /// Reads the set of `ring` again, if it is in use, and puts back what the store has lost of it.
    pub(in crate::key) async fn reload(&self, ring: &KeyRing) -> Result<()> {
        self.reload_in_turn(&ring.turn().await).await
    }

    async fn reload_in_turn(&self, turn: &Turn<'_>) -> Result<()> {
        let ring = turn.ring;
        for _ in 0..ATTEMPTS {
            let Some(memory) = ring.snapshot() else { return Ok(()) };
            let loaded = self.keys.load_strange(&ring.name).await?;
            if let Some(loaded) = loaded.as_ref().filter(|loaded| !loaded.record.keys.is_empty())
                && ring.has_slept(self.keys.clock.now())
            {
                turn.install_anyway(loaded.clone(), &self.keys);
                self.log_signing(ring);
                return Ok(());
            }
            let mut set = loaded.as_ref().map_or_else(KeySet::default, |loaded| loaded.record.clone());
            if !set.restore(memory.set(), self.keys.clock.now()) {
                if let Some(loaded) = loaded {
                    ensure_ours(&ring.name, &loaded.record)?;
                    turn.install(loaded, &self.keys);
                    self.log_signing(ring);
                    self.report_orders(ring, memory.set()).await;
                }
                return Ok(());
            }
            let before = loaded.as_ref().map_or(memory.set(), |loaded| &loaded.record);
            self.replace_silenced(ring, &mut set, before).await?;
            if self.keys.replace(&ring.name, loaded.as_ref(), set).await? {
                warn!(tenant = %ring.name, "signing keys that the store had lost are back");
                news::tell(&self.keys.store, &ring.name).await?;
            }
        }
        bail!("the signing keys of tenant {} change too fast; tried {ATTEMPTS} times", ring.name)
    }

    /// Changes the stored set of `ring` and takes over what is stored afterwards; answers whether this replica did it.
    pub(super) async fn change(&self, ring: &KeyRing, mut change: impl FnMut(&mut KeySet) -> bool) -> Result<bool> {
        let turn = ring.turn().await;
        if let Some((loaded, changed)) = self.keys.update(&ring.name, |set| Ok(change(set))).await? {
            turn.install(loaded, &self.keys);
            return Ok(changed);
        }
        self.reload_in_turn(&turn).await?;
        Ok(false)
    }

    /// Gives `set` a new key for each algorithm that `before` could sign with and `set` cannot.
    async fn replace_silenced(&self, ring: &KeyRing, set: &mut KeySet, before: &KeySet) -> Result<()> {
        for algorithm in set.silenced(before, self.keys.clock.now()) {
            self.keys.custody.ensure_trusted(&ring.name, set)?;
            let grace = ring.plan.load().policy.grace.as_secs();
            let key = self.keys.make_first(&ring.name, algorithm, grace).await?;
            let (tenant, kid) = (&*ring.name, key.kid());
            warn!(tenant, %algorithm, kid, "all signing keys for this algorithm were withdrawn; a new one signs at once");
            set.keys.push(key);
        }
        Ok(())
    }

    /// Counts and audits the keys that sign at once by an operator's order: a command has no log and no metrics. All
    /// replicas hear of it, and the first of them by name reports it.
    async fn report_orders(&self, ring: &KeyRing, before: &KeySet) {
        let (Some(snapshot), now) = (ring.snapshot(), self.keys.clock.now()) else { return };
        let set = snapshot.set();
        let was_ordered = |kid: &str| before.key(kid).is_some_and(|key| key.at_once);
        let signing = set.algorithms(now).into_iter().filter_map(|algorithm| set.signing(algorithm, now));
        let ordered: Vec<&StoredKey> = signing.filter(|key| key.at_once && !was_ordered(key.kid())).collect();
        if ordered.is_empty() || set.restored != before.restored {
            return;
        }
        // A replica that cannot read the heartbeats leaves the report to the others.
        let living = Heartbeat::all(&self.keys.store).await.unwrap_or_default();
        if living.iter().map(|beat| &beat.replica).min() != Some(&self.presence.name) {
            return;
        }
        for key in ordered {
            self.count_rotation(ring, "operator");
            audit::key_rotated(ring.name.as_ref(), key.kid(), "operator");
        }
    }
}
