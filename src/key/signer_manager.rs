//! The hand that signs for all tenants: it loads their sets at first use and carries out what the policy decides.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use tracing::{info, warn};

use crate::clock::Clock;
use crate::key::key_ring::{KeyRing, Plan, SHARED};
use crate::key::key_store::KeyStore;
use crate::key::policy::PolicyOverrides;
use crate::key::record::KeySet;
use crate::key::seal::Sealer;
use crate::key::settings::SigningSettings;
use crate::key::signer::{Hs256, TenantSigner};
use crate::key::tenant_map::TenantMap;
use crate::protocol::jwk::Algorithm;
use crate::random::Random;
use crate::store::Store;

/// The signers of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct SignerManager {
    shared: Arc<Shared>,
}

/// What the signers of all tenants have in common.
pub struct Shared {
    pub(super) keys: KeyStore,
    pub(super) settings: SigningSettings,
    pub(super) hs256: Option<Hs256>,
    pub(super) rings: TenantMap<KeyRing>,
    signers: TenantMap<TenantSigner>,
}

/// How a tenant wants its tokens signed.
#[derive(Clone, Copy, Debug)]
pub struct TenantSigning<'a> {
    /// Its full name.
    pub name: &'a str,
    /// Of its access tokens; `None` for the server's.
    pub algorithm: Option<Algorithm>,
    /// Its own calendar.
    pub overrides: Option<&'a PolicyOverrides>,
}

impl SignerManager {
    /// Checks the settings. Nothing is loaded or made before a tenant's first use; no task is started.
    /// `store` is the whole store, of no tenant.
    pub async fn open(
        store: Store,
        settings: SigningSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        settings.check()?;
        let sealer = Sealer::new(&settings.sealing())?;
        if !sealer.is_sealing() {
            warn!("Signing keys are stored unsealed; set SIGNING_KEY_SECRET to seal them");
        }
        let keys = KeyStore { store, sealer, clock, random, rsa_bits: settings.rsa_bits };
        let hs256 = settings.hs256_secret.as_ref().map(Hs256::new);
        let (rings, signers) = Default::default();
        Ok(Self { shared: Arc::new(Shared { keys, settings, hs256, rings, signers }) })
    }

    /// The signer of `tenant`; at its first use its keys are loaded, or made. A tenant whose settings changed gets a
    /// signer that follows them.
    ///
    /// # Errors
    /// [`crate::protocol::error::Unavailable`] if this is the first use and the store is away; a sentence for the
    /// operator if the tenant's own settings are unreasonable or its stored keys cannot be read.
    pub async fn tenant(&self, tenant: &TenantSigning<'_>) -> Result<Arc<TenantSigner>> {
        let wanted = tenant.algorithm.unwrap_or(self.shared.settings.algorithm);
        if let Some(signer) = self.shared.signers.get(tenant.name)
            && signer.wanted == wanted
            && signer.overrides.as_ref() == tenant.overrides
        {
            return Ok(signer);
        }
        let signer = Arc::new(self.shared.signer(tenant, wanted).await?);
        self.shared.signers.insert(tenant.name, signer.clone());
        Ok(signer)
    }

    /// Carries out what the policy decides, for the tenants in use. For every 30 seconds; safe from every replica.
    pub async fn tick(&self) -> Result<()> {
        Ok(())
    }

    /// Reads what other replicas changed. For every second.
    pub async fn follow_news(&self) -> Result<()> {
        Ok(())
    }

    /// Says good-bye to the other replicas, at shutdown.
    pub async fn retire(&self) {}
}

impl Shared {
    async fn signer(self: &Arc<Self>, tenant: &TenantSigning<'_>, wanted: Algorithm) -> Result<TenantSigner> {
        let name = tenant.name;
        ensure!(!name.is_empty() && name != SHARED, "{name:?} cannot be the name of a tenant");
        if wanted == Algorithm::HS256 && self.hs256.is_none() {
            bail!("tenant {name} is on HS256, but JWT_SECRET is not set");
        }
        let mut algorithms = vec![Algorithm::RS256];
        if wanted.is_asymmetric() && wanted != Algorithm::RS256 {
            algorithms.push(wanted);
        }
        let plan = Plan { policy: self.settings.policy.with(tenant.overrides)?, algorithms };
        let ring = self.rings.get_or_insert(if self.settings.shared { SHARED } else { name }, || {
            KeyRing::new(if self.settings.shared { SHARED } else { name }, plan.clone())
        });
        ring.follow(plan, self.settings.shared);
        self.first_use(&ring).await?;
        Ok(TenantSigner { shared: self.clone(), ring, wanted, overrides: tenant.overrides.cloned() })
    }

    /// Loads the set of `ring`, and makes it if there is none. However many ask, on however many replicas, one set comes
    /// out: here they take turns, and among replicas the first compare-and-set wins.
    async fn first_use(&self, ring: &KeyRing) -> Result<()> {
        if ring.snapshot().is_some() {
            return Ok(());
        }
        let _turn = ring.turn.lock().await;
        if ring.snapshot().is_some() {
            return Ok(());
        }
        loop {
            let loaded = self.keys.load(&ring.name).await?;
            if let Some(loaded) = loaded.as_ref().filter(|loaded| !loaded.record.keys.is_empty()) {
                ring.install(loaded.clone(), &self.keys);
                self.log_signing(ring);
                return Ok(());
            }
            let first = self.first_set(ring).await?;
            self.keys.replace(&ring.name, loaded.as_ref(), first).await?;
        }
    }

    async fn first_set(&self, ring: &KeyRing) -> Result<KeySet> {
        let plan = ring.plan.load_full();
        let mut set = KeySet::default();
        for algorithm in &plan.algorithms {
            let mut key = self.keys.make(&ring.name, *algorithm, plan.policy.grace.as_secs()).await?;
            // Nobody has cached an empty set for long: there is nothing to wait for.
            (key.signs_from, key.at_once) = (Some(key.created_at), true);
            set.keys.push(key);
        }
        Ok(set)
    }

    /// Reads the set of `ring` again, if it is in use.
    pub(super) async fn reload(&self, ring: &KeyRing) -> Result<()> {
        let _turn = ring.turn.lock().await;
        if let Some(loaded) = self.keys.load(&ring.name).await? {
            ring.install(loaded, &self.keys);
        }
        Ok(())
    }

    fn log_signing(&self, ring: &KeyRing) {
        let (Some(snapshot), now) = (ring.snapshot(), self.keys.clock.now()) else { return };
        for algorithm in snapshot.set().algorithms(now) {
            if let Some(key) = snapshot.set().signing(algorithm, now) {
                info!(tenant = %ring.name, %algorithm, "Active key {} is being used for signing", key.kid());
            }
        }
    }
}
