//! The home of the key sets of all replicas: sealed, and changed only by compare-and-set.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::clock::{Clock, Timestamp};
use crate::key::custody::generate::{NewKey, generate};
use crate::key::custody::private_key::PrivateKey;
use crate::key::custody::seal::Sealer;
use crate::key::record::{KeySet, StoredKey};
use crate::metrics::Metrics;
use crate::protocol::jwk::Algorithm;
use crate::random::Random;
use crate::store::{Loaded, Store};

/// The record's id within its tenant.
const ID: &str = "set";

/// How often a change is tried again because others were faster; each time somebody else made progress.
const ATTEMPTS: usize = 100;

/// Nobody ever gets there by counting.
const LAST_VERSION: u64 = u64::MAX / 4;

/// Reads and changes key sets. Every error names the tenant.
pub struct KeyStore {
    /// The whole store, of no tenant.
    pub store: Store,
    /// What seals private halves.
    pub sealer: Sealer,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for sealing.
    pub random: Arc<dyn Random>,
    /// The size of new RSA keys.
    pub rsa_bits: u32,
    /// Where signatures and rotations are counted.
    pub metrics: Metrics,
}

impl KeyStore {
    /// The set of `tenant` as it is now.
    pub async fn load(&self, tenant: &str) -> Result<Option<Loaded<KeySet>>> {
        let whose = || format!("the signing keys of tenant {tenant}");
        let loaded = self.store.within(tenant).load::<KeySet>(ID).await.with_context(whose)?;
        if let Some(stranger) = loaded.as_ref().map(|loaded| &loaded.record.tenant).filter(|name| *name != tenant) {
            bail!("{} are those of tenant {stranger:?} in the store; the row was moved", whose());
        }
        let counts = loaded.as_ref().map(|loaded| [loaded.record.version, loaded.record.restored]);
        if let Some(count) = counts.into_iter().flatten().find(|count| *count > LAST_VERSION) {
            bail!("{} are damaged in the store: they say that they were changed {count} times", whose());
        }
        Ok(loaded)
    }

    /// Puts `new` in the place of `expected`, one version further; answers whether nobody was faster.
    pub async fn replace(&self, tenant: &str, expected: Option<&Loaded<KeySet>>, mut new: KeySet) -> Result<bool> {
        new.version = expected.map_or(0, |loaded| loaded.record.version).max(new.version) + 1;
        new.tenant = tenant.into();
        let store = self.store.within(tenant);
        store
            .replace(ID, expected, &new, &[], None)
            .await
            .with_context(|| format!("the signing keys of tenant {tenant}"))
    }

    /// Changes the set of `tenant` until nobody is faster: `change` says whether there is something to write.
    /// Answers the set as it is afterwards, and whether this call changed it. A set that is not there is left alone.
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

    /// Refuses to make a key beside those of `tenant` that are sealed with a secret this process does not have: nobody who
    /// serves could open it, or it would lie in the open beside sealed ones.
    pub fn ensure_trusted(&self, tenant: &str, set: &KeySet) -> Result<()> {
        let strange = |key: &&StoredKey| key.private.as_ref().is_some_and(|half| !self.sealer.knows(half));
        let Some(key) = set.keys.iter().find(strange) else { return Ok(()) };
        let why = match self.sealer.is_sealing() {
            true => "with a secret that is not in SIGNING_KEY_SECRET",
            false => "and SIGNING_KEY_SECRET is not set here",
        };
        bail!("no signing key is made for tenant {tenant}, because its key {} is sealed {why}", key.kid())
    }

    /// Makes a key for `tenant` that is announced and nothing more. Takes a while; not to be called under a lock.
    pub async fn make(&self, tenant: &str, algorithm: Algorithm, grace: u64) -> Result<StoredKey> {
        let now = self.clock.now();
        let new = generate(algorithm, self.rsa_bits, now).await?;
        self.seal(tenant, new, now, grace)
    }

    /// Makes a key that signs at once: nobody has cached a set without it for long.
    pub async fn make_first(&self, tenant: &str, algorithm: Algorithm, grace: u64) -> Result<StoredKey> {
        let mut key = self.make(tenant, algorithm, grace).await?;
        (key.signs_from, key.at_once) = (Some(key.created_at), true);
        Ok(key)
    }

    /// The record of a key whose private half is in the open.
    pub fn seal(&self, tenant: &str, new: NewKey, created_at: Timestamp, grace: u64) -> Result<StoredKey> {
        let private = self.sealer.seal(tenant, &new.public.kid, &new.pkcs8, self.random.as_ref())?;
        Ok(StoredKey {
            public: new.public,
            private: Some(private),
            created_at,
            signs_from: None,
            at_once: false,
            retired_at: None,
            last_expiry: None,
            revoked_at: None,
            announced_revision: None,
            grace,
        })
    }

    /// Seals with the first secret what is sealed with another one, or not at all; answers whether there was something.
    pub fn seal_again(&self, tenant: &str, set: &mut KeySet) -> Result<bool> {
        let mut changed = false;
        for key in &mut set.keys {
            let Some(half) =
                key.private.as_ref().filter(|half| self.sealer.is_outdated(half) && self.sealer.knows(half))
            else {
                continue;
            };
            let pkcs8 = self.sealer.open(tenant, &key.public.kid, half)?;
            key.private = Some(self.sealer.seal(tenant, &key.public.kid, &pkcs8, self.random.as_ref())?);
            changed = true;
        }
        Ok(changed)
    }

    /// The private half of `key`, ready to sign; the error names tenant and kid.
    pub fn open(&self, tenant: &str, key: &StoredKey) -> Result<Option<PrivateKey>> {
        let Some(half) = &key.private else { return Ok(None) };
        let pkcs8 = self.sealer.open(tenant, key.kid(), half)?;
        let whose = || format!("signing key {} of tenant {tenant}", key.kid());
        let private = PrivateKey::from_pkcs8(key.algorithm(), &pkcs8).with_context(whose)?;
        if private.public() != key.public.material {
            bail!("the halves of {} do not belong together", whose());
        }
        Ok(Some(private))
    }
}
