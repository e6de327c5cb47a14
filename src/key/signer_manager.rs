//! The hand that signs for all tenants: it loads their sets at first use and carries out what the policy decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use anyhow::{Result, bail, ensure};
use prometheus_client::metrics::counter::Counter;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::key::custody::seal::Sealer;
use crate::key::follow::Presence;
use crate::key::key_metrics::KeyMetrics;
use crate::key::key_ring::{KeyRing, Plan, SHARED};
use crate::key::key_store::KeyStore;
use crate::key::older::adopt::OlderKeys;
use crate::key::policy::PolicyOverrides;
use crate::key::settings::SigningSettings;
use crate::key::signer::{Hs256, TenantSigner};
use crate::key::tenant_map::TenantMap;
use crate::metrics::{Metrics, SignedWith};
use crate::protocol::error::Unavailable;
use crate::protocol::jwk::Algorithm;
use crate::random::Random;
use crate::store::Store;

/// The signers of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct SignerManager {
    shared: Arc<Shared>,
    // Not in what they share: each of them holds on to that.
    signers: Arc<TenantMap<TenantSigner>>,
}

/// As much of a random name as keeps two processes on one machine apart.
const SUFFIX: usize = 8;

/// What a whole server gives its signers besides.
#[derive(Default)]
pub struct Extras {
    /// Where they count.
    pub metrics: Metrics,
    /// Keys of an older layout, for tenants that have none.
    pub older_keys: Option<Arc<dyn OlderKeys>>,
    /// The name of the machine, for people who read of this replica.
    pub host: Option<String>,
}

/// What the signers of all tenants have in common.
pub struct Shared {
    pub(super) keys: KeyStore,
    pub(super) settings: SigningSettings,
    pub(super) hs256: Option<Hs256>,
    pub(super) rings: TenantMap<KeyRing>,
    pub(super) presence: Presence,
    pub(super) older_keys: Option<Arc<dyn OlderKeys>>,
    is_behind: AtomicBool,
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
        Self::open_with(store, settings, clock, random, Extras::default()).await
    }

    /// Like [`Self::open`], with what a whole server has besides.
    pub async fn open_with(
        store: Store,
        settings: SigningSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        extras: Extras,
    ) -> Result<Self> {
        settings.check()?;
        let sealer = Sealer::new(&settings.sealing())?;
        let Extras { metrics, older_keys, host } = extras;
        let keys = KeyStore { store, sealer, clock, random, rsa_bits: settings.rsa_bits, metrics };
        let hs256 = settings.hs256_secret.as_ref().map(Hs256::new);
        let suffix: String = keys.random.identifier().chars().take(SUFFIX).collect();
        let name = format!("{}-{suffix}", host.as_deref().unwrap_or("replica"));
        info!("This replica is called {name}");
        let presence = Presence::new(name, keys.clock.now(), keys.sealer.names());
        let (rings, is_behind) = Default::default();
        let shared = Arc::new(Shared { keys, settings, hs256, rings, presence, older_keys, is_behind });
        shared.keys.metrics.register_collector(Box::new(KeyMetrics(Arc::downgrade(&shared))));
        Ok(Self { shared, signers: Arc::default() })
    }

    /// The signer of `tenant`; at its first use its keys are loaded, or made. A tenant whose settings changed gets a
    /// signer that follows them.
    ///
    /// # Errors
    /// [`crate::protocol::error::Unavailable`] if this is the first use and the store is away; a sentence for the
    /// operator if the tenant's own settings are unreasonable or its stored keys cannot be read.
    pub async fn tenant(&self, tenant: &TenantSigning<'_>) -> Result<Arc<TenantSigner>> {
        let wanted = tenant.algorithm.unwrap_or(self.shared.settings.algorithm);
        if let Some(signer) = self.signers.get(tenant.name)
            && signer.wanted == wanted
            && signer.overrides.as_ref() == tenant.overrides
        {
            return Ok(signer);
        }
        // Boxed because it is rare: the future of nearly every endpoint would be twice as large, and is moved a few times.
        let signer = Arc::new(Box::pin(self.shared.signer(tenant, wanted)).await?);
        self.signers.insert(tenant.name, signer.clone());
        Ok(signer)
    }

    /// Whether `tenant` has keys already, in memory or in the store.
    pub async fn has_keys(&self, tenant: &str) -> Result<bool> {
        let Shared { rings, keys, .. } = &*self.shared;
        let name = self.shared.set_name(tenant);
        if rings.get(name).is_some_and(|ring| ring.snapshot().is_some()) {
            return Ok(true);
        }
        keys.has_keys(name).await
    }

    /// Carries out what the policy decides, for the tenants in use. For every 30 seconds, with jitter; safe from every
    /// replica at any time. What fails is logged; the result is for those who want to know.
    pub async fn tick(&self) -> Result<()> {
        let result = self.shared.tick().await;
        // That the store is away is noticed by whoever asks it every second.
        if let Some(error) = result.as_ref().err().filter(|error| !error.is::<Unavailable>()) {
            error!("Signing keys could not be looked after: {error:#}");
        }
        result
    }

    /// Takes over what other replicas changed, and says that this one lives. For every second. That the store is away is
    /// logged here, once, and so is its return.
    pub async fn follow_news(&self) -> Result<()> {
        let result = self.shared.follow_news().await;
        self.shared.note_store(&result);
        result
    }

    /// Writes down what is still in memory and says good-bye to the other replicas, at shutdown.
    pub async fn retire(&self) {
        self.shared.retire().await;
    }
}

impl Shared {
    async fn signer(self: &Arc<Self>, tenant: &TenantSigning<'_>, wanted: Algorithm) -> Result<TenantSigner> {
        let name = tenant.name;
        ensure!(!name.is_empty() && name != SHARED, "{name:?} cannot be the name of a tenant");
        if wanted == Algorithm::HS256 && self.hs256.is_none() {
            bail!("tenant {name} is on HS256, but JWT_SECRET is not set");
        }
        let plan = Plan::of(tenant, &self.settings)?;
        let set_name = self.set_name(name);
        let ring = self.rings.get_or_insert(set_name, || KeyRing::new(set_name, plan.clone()));
        ring.follow(plan, self.settings.shared);
        self.first_use(&ring).await?;
        self.promise(&ring).await;
        if let Err(error) = self.note_access(&ring).await {
            warn!(tenant = name, "That the tenant is on {wanted} is written down later: {error:#}");
        }
        let was_on = ring.snapshot().and_then(|snapshot| snapshot.set().access);
        let labels = SignedWith { tenant: name.into(), kid: String::new(), alg: Algorithm::HS256.as_str() };
        let hs256_signed = match wanted == Algorithm::HS256 || was_on == Some(Algorithm::HS256) {
            true => self.keys.metrics.tokens_signed.get_or_create_owned(&labels),
            false => Counter::default(),
        };
        Ok(TenantSigner { shared: self.clone(), ring, wanted, overrides: tenant.overrides.cloned(), hs256_signed })
    }

    /// Whose set `tenant` signs with.
    fn set_name<'a>(&self, tenant: &'a str) -> &'a str {
        if self.settings.shared { SHARED } else { tenant }
    }

    /// Only for what really asked the store.
    fn note_store(&self, result: &Result<()>) {
        let is_away = result.as_ref().is_err_and(|error| error.is::<Unavailable>());
        self.keys.metrics.store_up.set(i64::from(!is_away));
        match result {
            Err(error) if !self.is_behind.swap(true, Ordering::Relaxed) => {
                warn!("Signing keys cannot be kept up with the store; signing goes on from memory: {error:#}");
            }
            Ok(()) if self.is_behind.swap(false, Ordering::Relaxed) => {
                info!("Signing keys are kept up with the store again");
            }
            _ => {}
        }
    }

    /// Logs the signing keys of `ring`, where they are others than before, and only those that can sign here.
    pub(super) fn log_signing(&self, ring: &KeyRing) {
        let (Some(snapshot), now) = (ring.snapshot(), self.keys.clock.now()) else { return };
        let signing = |algorithm| snapshot.set().signing(algorithm, now).map(|key| key.public.kid.clone());
        let opens = |kid: &String| snapshot.live(kid).is_some_and(|live| live.private.is_some());
        let kids: Vec<String> = snapshot.set().algorithms(now).into_iter().filter_map(signing).filter(opens).collect();
        let mut logged = ring.logged.lock().unwrap_or_else(PoisonError::into_inner);
        for kid in kids.iter().filter(|kid| !logged.contains(kid)) {
            info!(tenant = %ring.name, "Active key {kid} is being used for signing");
        }
        *logged = kids;
    }
}
