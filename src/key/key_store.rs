//! The key sets in the store that all replicas share: changed only by compare-and-set.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::clock::Clock;
use crate::key::custody::Custody;
use crate::key::custody::mac::Foreign;
use crate::key::record::{KeySet, StoredKey};
use crate::key::replicas::capability::{Capability, Understood};
use crate::metrics::Metrics;
use crate::protocol::jwk::Algorithm;
use crate::store::{Loaded, Store};

/// The record's id within its tenant.
const ID: &str = "set";

/// How often a change is tried while others are faster; each time somebody else made progress.
const ATTEMPTS: usize = 100;

/// Counting never gets there; a larger version is damage.
const LAST_VERSION: u64 = u64::MAX / 4;

/// Reads and changes key sets. Every error names the tenant.
pub struct KeyStore {
    /// The whole store, of no tenant.
    pub store: Store,
    /// Makes and opens private halves.
    pub custody: Custody,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where signatures and rotations are counted.
    pub metrics: Metrics,
    /// Whether all living replicas make MACs.
    pub understood: Arc<Understood>,
}

impl KeyStore {
    /// The set of `tenant` as it is now: its keys are ours, as far as that can be proved.
    ///
    /// Errors: there are keys, and none of them is ours.
    pub async fn load(&self, tenant: &str) -> Result<Option<Loaded<KeySet>>> {
        let loaded = self.load_strange(tenant).await?;
        loaded.as_ref().map_or(Ok(()), |loaded| ensure_ours(tenant, &loaded.record))?;
        Ok(loaded)
    }

    /// The same, also where none of them is ours.
    pub async fn load_strange(&self, tenant: &str) -> Result<Option<Loaded<KeySet>>> {
        let whose = || format!("the signing keys of tenant {tenant}");
        let mut loaded = self.store.within(tenant).load::<KeySet>(ID).await.with_context(whose)?;
        if let Some(stranger) = loaded.as_ref().map(|loaded| &loaded.record.tenant).filter(|name| *name != tenant) {
            bail!("{} are those of tenant {stranger:?} in the store; the row was moved", whose());
        }
        let counts = loaded.as_ref().map(|loaded| [loaded.record.version, loaded.record.restored]);
        if let Some(count) = counts.into_iter().flatten().find(|count| *count > LAST_VERSION) {
            bail!("{} are damaged in the store: they say that they were changed {count} times", whose());
        }
        if let Some(loaded) = &mut loaded {
            self.custody.sort_out(tenant, &mut loaded.record, self.makes_macs());
        }
        Ok(loaded)
    }

    /// Whether every living replica reads MACs, so that rows carry them from now on.
    pub fn makes_macs(&self) -> bool {
        self.understood.everywhere(Capability::KeyMac)
    }

    /// Replaces `expected` by `new`, one version further; answers whether `expected` was still there.
    pub async fn replace(&self, tenant: &str, expected: Option<&Loaded<KeySet>>, mut new: KeySet) -> Result<bool> {
        new.version = expected.map_or(0, |loaded| loaded.record.version).max(new.version) + 1;
        new.tenant = tenant.into();
        self.custody.certify(tenant, &mut new, self.makes_macs());
        let store = self.store.within(tenant);
        store
            .replace(ID, expected, &new, &[], None)
            .await
            .with_context(|| format!("the signing keys of tenant {tenant}"))
    }

    /// Changes the set of `tenant`, again if another change came first; `change` answers whether there is something to
    /// write. Answers the set as it is afterwards, and whether this call changed it; `None` if there is no set.
    pub async fn update(
        &self,
        tenant: &str,
        mut change: impl FnMut(&mut KeySet) -> Result<bool>,
    ) -> Result<Option<(Loaded<KeySet>, bool)>> {
        let mut changed = false;
        for _ in 0..ATTEMPTS {
            let Some(loaded) = self.load(tenant).await? else { return Ok(None) };
            let mut set = loaded.record.clone();
            if changed || !change(&mut set)? {
                return Ok(Some((loaded, changed)));
            }
            changed = self.replace(tenant, Some(&loaded), set).await?;
        }
        bail!("the signing keys of tenant {tenant} change too fast; tried {ATTEMPTS} times")
    }

    /// Whether `tenant` has keys in the store; it has none before its first use.
    pub async fn has_keys(&self, tenant: &str) -> Result<bool> {
        Ok(self.load(tenant).await?.is_some_and(|loaded| !loaded.record.keys.is_empty()))
    }

    /// Makes a key for `tenant` that is announced and not scheduled. Takes a while; not to be called under a lock.
    pub async fn make(&self, tenant: &str, algorithm: Algorithm, grace: u64) -> Result<StoredKey> {
        self.custody.make(tenant, algorithm, grace, self.clock.now()).await
    }

    /// Makes a key that signs at once: no verifier has cached a set without it.
    pub async fn make_first(&self, tenant: &str, algorithm: Algorithm, grace: u64) -> Result<StoredKey> {
        let mut key = self.make(tenant, algorithm, grace).await?;
        (key.signs_from, key.at_once) = (Some(key.created_at), true);
        Ok(key)
    }
}

/// Refuses a set in which nothing is ours: to make new keys beside it would end all tokens of those that made these, if it
/// is only the secret that is wrong.
pub fn ensure_ours(tenant: &str, set: &KeySet) -> Result<()> {
    let Some((key, reason)) = set.foreign.first().filter(|_| set.keys.is_empty()) else { return Ok(()) };
    let whose = format!("signing key {} of tenant {tenant} is not believed", key.kid());
    match (reason, key.private.as_ref().is_some_and(|half| !half.is_sealed())) {
        (Foreign::NoMac, true) => bail!(
            "{whose}: it is not sealed, and SIGNING_KEY_SECRET is set; if it is yours, `uitsmijter keys seal` takes it over"
        ),
        _ => bail!("{whose}: {}; `uitsmijter keys list` shows it, `keys revoke` removes it", reason.as_str()),
    }
}
