//! The signers of all tenants: where the rest of the server enters this room to sign and verify.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use prometheus_client::metrics::counter::Counter;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::key::custody::Custody;
use crate::key::key_metrics::KeyMetrics;
use crate::key::key_ring::KeyRing;
use crate::key::key_store::KeyStore;
use crate::key::keychain::Keychain;
use crate::key::plan::Plan;
use crate::key::replicas::capability::{Capability, Understood};
use crate::key::replicas::presence::Presence;
use crate::key::settings::{SHARED, SigningSettings, TenantSigning};
use crate::key::signer::TenantSigner;
use crate::key::tenant_map::TenantMap;
use crate::metrics::{Metrics, SignedWith};
use crate::protocol::error::Unavailable;
use crate::protocol::jwk::Algorithm;
use crate::random::Random;
use crate::store::Store;

/// The signers of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct SignerManager {
    keychain: Arc<Keychain>,
    // Not in the keychain, which each of them holds.
    signers: Arc<TenantMap<TenantSigner>>,
}

/// As much of a random name as keeps two processes on one machine apart.
const SUFFIX: usize = 8;

/// What a whole server adds.
#[derive(Default)]
pub struct Extras {
    /// Where signatures and rotations are counted.
    pub metrics: Metrics,
    /// The name of the machine, for people who read of this replica.
    pub host: Option<String>,
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
        Self::open_with(store, settings, clock, random, Extras::default()).await
    }

    /// Like [`Self::open`], with what a whole server adds.
    pub async fn open_with(
        store: Store,
        settings: SigningSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        Extras { metrics, host }: Extras,
    ) -> Result<Self> {
        settings.check()?;
        let suffix: String = random.identifier().chars().take(SUFFIX).collect();
        let name = format!("{}-{suffix}", host.as_deref().unwrap_or("replica"));
        info!("this replica is called {name}");
        let custody = Custody::new(&settings, random)?;
        let understood = Arc::new(Understood::default());
        let presence = Presence::new(name, clock.now(), custody.sealer.names(), understood.clone());
        let keys = KeyStore { store, custody, clock, metrics, understood };
        let keychain = Arc::new(Keychain::new(keys, settings, presence));
        keychain.keys.metrics.register_collector(Box::new(KeyMetrics(Arc::downgrade(&keychain))));
        Ok(Self { keychain, signers: Arc::default() })
    }

    /// The signer of `tenant`; at its first use its keys are loaded, or made. A tenant whose settings changed gets a
    /// signer that follows them.
    ///
    /// # Errors
    /// [`crate::protocol::error::Unavailable`] if this is the first use and the store is away; a sentence for the
    /// operator if the tenant's own settings are unreasonable or its stored keys cannot be read.
    pub async fn tenant(&self, tenant: &TenantSigning<'_>) -> Result<Arc<TenantSigner>> {
        let wanted = tenant.algorithm.unwrap_or(self.keychain.settings.algorithm);
        if let Some(signer) = self.signers.get(tenant.name)
            && signer.wanted == wanted
            && signer.overrides.as_ref() == tenant.overrides
        {
            return Ok(signer);
        }
        // Boxed because it is rare: the future of nearly every endpoint would be twice as large, and is moved a few times.
        let signer = Arc::new(Box::pin(self.make_signer(tenant, wanted)).await?);
        self.signers.insert(tenant.name, signer.clone());
        Ok(signer)
    }

    async fn make_signer(&self, tenant: &TenantSigning<'_>, wanted: Algorithm) -> Result<TenantSigner> {
        let (name, keychain) = (tenant.name, &self.keychain);
        ensure!(!name.is_empty() && name != SHARED, "{name:?} cannot be the name of a tenant");
        if wanted == Algorithm::HS256 && keychain.hs256.is_none() {
            bail!("tenant {name} is on HS256, but JWT_SECRET is not set");
        }
        let plan = Plan::of(tenant, &keychain.settings)?;
        let set_name = keychain.settings.set_name(name);
        let ring = keychain.rings.get_or_insert(set_name, || KeyRing::new(set_name, plan.clone()));
        ring.follow(plan, keychain.settings.shared);
        keychain.first_use(&ring).await?;
        keychain.promise(&ring).await;
        if let Err(error) = keychain.note_access(&ring).await {
            let cause = format!("{error:#}");
            warn!(tenant = name, algorithm = %wanted, cause, "the algorithm of this tenant is written down later");
        }
        let was_on = ring.snapshot().and_then(|snapshot| snapshot.set().access);
        let labels = SignedWith { tenant: name.into(), kid: String::new(), alg: Algorithm::HS256.as_str() };
        let hs256_signed = if wanted == Algorithm::HS256 || was_on == Some(Algorithm::HS256) {
            keychain.keys.metrics.tokens_signed.get_or_create_owned(&labels)
        } else {
            Counter::default()
        };
        let overrides = tenant.overrides.cloned();
        Ok(TenantSigner { tenant: name.into(), keychain: keychain.clone(), ring, wanted, overrides, hs256_signed })
    }

    /// Whether `tenant` has keys already, in memory or in the store.
    pub async fn has_keys(&self, tenant: &str) -> Result<bool> {
        let Keychain { rings, keys, settings, .. } = &*self.keychain;
        let name = settings.set_name(tenant);
        if rings.get(name).is_some_and(|ring| ring.snapshot().is_some()) {
            return Ok(true);
        }
        keys.has_keys(name).await
    }

    /// Carries out what the policy decides, for the tenants in use. To be called every 30 seconds, with jitter; safe from
    /// every replica at any time. Failures are logged here; the result is for tests.
    pub async fn tick(&self) -> Result<()> {
        let result = self.keychain.tick().await;
        // An unavailable store is logged by `follow_news`, which asks it every second.
        if let Some(error) = result.as_ref().err().filter(|error| !error.is::<Unavailable>()) {
            error!(cause = format!("{error:#}"), "signing keys could not be looked after");
        }
        result
    }

    /// Takes over what other replicas changed, and tells them that this one lives. To be called every second. Logs once
    /// that the store is away, and once that it is back.
    pub async fn follow_news(&self) -> Result<()> {
        self.keychain.follow_news().await
    }

    /// Looks who else lives. To be called before anything is served, so that a lone replica knows at once that it is
    /// alone; later looks are part of [`Self::follow_news`]. A store that is away is reported there, and until then
    /// nothing counts as understood everywhere.
    pub async fn meet_replicas(&self) -> Result<()> {
        self.keychain.meet_replicas().await
    }

    /// Whether every living replica understands `form`, so that this one may write it. Costs one atomic read; follows a
    /// replica that appears or leaves within five seconds.
    pub fn everywhere(&self, form: Capability) -> bool {
        self.keychain.presence.understood.everywhere(form)
    }

    /// Names of the secrets for sealing that every living replica has, as [`Self::everywhere`] follows them.
    pub fn opened_everywhere(&self) -> Arc<BTreeSet<String>> {
        self.keychain.presence.opened_everywhere()
    }

    /// Records what is still in memory and removes the heartbeat, so that the others do not wait for this replica.
    pub async fn retire(&self) {
        self.keychain.retire().await;
    }
}
