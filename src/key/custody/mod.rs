//! Custody of private halves: here they are made, sealed for the store, and opened to sign. Everyone else passes on a
//! [`PrivateHalf`] that they cannot read.
//!
//! This is the place for keys in an HSM or a KMS. Such keys lie beside sealed ones in one set while a tenant moves, so
//! the half itself has to say who opens it: [`PrivateHalf`] becomes an enum whose second form names the remote key, and
//! [`Custody::open`] matches on it. A remote signature is a request, so signing with such a key has to be async; a
//! [`PrivateKey`] in memory stays free of that, and of the store, of locks and of parsing.

pub mod generate;
pub mod mac;
pub mod private_key;
pub mod provenance;
pub mod seal;

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::clock::Timestamp;
use crate::key::record::{KeySet, StoredKey};
use crate::key::settings::SigningSettings;
use crate::protocol::jwk::Algorithm;
use crate::random::Random;

use generate::{NewKey, generate};
use private_key::PrivateKey;
use seal::{PrivateHalf, Sealer};

/// Makes, seals and opens private halves. Every error names tenant and `kid`.
pub struct Custody {
    /// Seals private halves for the store.
    pub sealer: Sealer,
    random: Arc<dyn Random>,
    rsa_bits: u32,
}

impl Custody {
    /// With the secrets and the key size that `settings` ask for; `random` makes nonces.
    pub fn new(settings: &SigningSettings, random: Arc<dyn Random>) -> Result<Self> {
        Ok(Self { sealer: Sealer::new(&settings.sealing())?, random, rsa_bits: settings.rsa_bits })
    }

    /// Makes a key for `tenant`, announced at `now` and not scheduled. Takes a while; not to be called under a lock.
    pub async fn make(&self, tenant: &str, algorithm: Algorithm, grace: u64, now: Timestamp) -> Result<StoredKey> {
        self.take_in(tenant, generate(algorithm, self.rsa_bits, now).await?, now, grace)
    }

    /// Takes custody of a key whose private half is unsealed.
    pub fn take_in(&self, tenant: &str, new: NewKey, created_at: Timestamp, grace: u64) -> Result<StoredKey> {
        let half = self.sealer.seal(tenant, &new.public.kid, &new.pkcs8, self.random.as_ref())?;
        Ok(StoredKey::announced(new.public, half, created_at, grace))
    }

    /// The private half of `key`, ready to sign; `None` if it is erased.
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

    /// Refuses to make a key for `tenant` if one in `set` is sealed with a secret that this process does not have: the
    /// servers could not open the new key, or it would be stored unsealed beside sealed ones.
    pub fn ensure_trusted(&self, tenant: &str, set: &KeySet) -> Result<()> {
        let strange = |key: &&StoredKey| key.private.as_ref().is_some_and(|half| !self.sealer.knows(half));
        let Some(key) = set.keys.iter().find(strange) else { return Ok(()) };
        let why = if self.sealer.is_sealing() {
            "with a secret that is not in SIGNING_KEY_SECRET"
        } else {
            "and SIGNING_KEY_SECRET is not set here"
        };
        bail!("no signing key is made for tenant {tenant}, because its key {} is sealed {why}", key.kid())
    }

    /// Whether [`Self::seal_again`] would change `set`.
    pub fn should_seal_again(&self, set: &KeySet) -> bool {
        set.keys.iter().filter_map(|key| key.private.as_ref()).any(|half| self.is_outdated(half))
    }

    /// Seals with the first secret the halves that are sealed with another one, or not at all; answers whether there were
    /// any.
    pub fn seal_again(&self, tenant: &str, set: &mut KeySet) -> Result<bool> {
        let mut changed = false;
        for key in &mut set.keys {
            let Some(half) = key.private.as_ref().filter(|half| self.is_outdated(half)) else { continue };
            let pkcs8 = self.sealer.open(tenant, &key.public.kid, half)?;
            key.private = Some(self.sealer.seal(tenant, &key.public.kid, &pkcs8, self.random.as_ref())?);
            changed = true;
        }
        Ok(changed)
    }

    fn is_outdated(&self, half: &PrivateHalf) -> bool {
        self.sealer.is_outdated(half) && self.sealer.knows(half)
    }
}
