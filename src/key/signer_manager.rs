//! The hand that signs for all tenants: it loads their sets at first use and carries out what the policy decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use anyhow::{Result, bail, ensure};
use prometheus_client::metrics::counter::Counter;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::key::adopt::OlderKeys;
use crate::key::follow::Presence;
use crate::key::key_metrics::KeyMetrics;
use crate::key::key_ring::{KeyRing, Plan, SHARED};
use crate::key::key_store::KeyStore;
use crate::key::policy::PolicyOverrides;
use crate::key::record::KeySet;
use crate::key::seal::Sealer;
use crate::key::settings::SigningSettings;
use crate::key::signer::{Hs256, TenantSigner};
use crate::key::tenant_map::TenantMap;
use crate::metrics::{Metrics, Rotation, SignedWith};
use crate::protocol::jwk::Algorithm;
use crate::random::Random;
use crate::store::Store;

/// The signers of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct SignerManager {
    shared: Arc<Shared>,
}

/// What a whole server gives its signers besides.
#[derive(Default)]
pub struct Extras {
    /// Where they count.
    pub metrics: Metrics,
    /// Keys of an older layout, for tenants that have none.
    pub older_keys: Option<Arc<dyn OlderKeys>>,
}

/// What the signers of all tenants have in common.
pub struct Shared {
    pub(super) keys: KeyStore,
    pub(super) settings: SigningSettings,
    pub(super) hs256: Option<Hs256>,
    pub(super) rings: TenantMap<KeyRing>,
    pub(super) presence: Presence,
    older_keys: Option<Arc<dyn OlderKeys>>,
    signers: TenantMap<TenantSigner>,
    store_is_away: AtomicBool,
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
        let Extras { metrics, older_keys } = extras;
        let keys = KeyStore { store, sealer, clock, random, rsa_bits: settings.rsa_bits, metrics };
        let hs256 = settings.hs256_secret.as_ref().map(Hs256::new);
        let presence = Presence::new(keys.random.identifier(), keys.clock.now());
        let (rings, signers, store_is_away) = Default::default();
        let shared = Arc::new(Shared { keys, settings, hs256, rings, presence, older_keys, signers, store_is_away });
        shared.keys.metrics.register_collector(Box::new(KeyMetrics(Arc::downgrade(&shared))));
        Ok(Self { shared })
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

    /// Carries out what the policy decides, for the tenants in use. For every 30 seconds, with jitter; safe from every
    /// replica at any time. That the store is away is logged here, once; the result is for those who want to know.
    pub async fn tick(&self) -> Result<()> {
        let result = self.shared.tick().await;
        self.shared.note_store(&result);
        result
    }

    /// Takes over what other replicas changed, and says that this one lives. For every second.
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
        let plan = Plan { policy: self.settings.policy.with(tenant.overrides)?, algorithms: algorithms(wanted) };
        let ring = self.rings.get_or_insert(if self.settings.shared { SHARED } else { name }, || {
            KeyRing::new(if self.settings.shared { SHARED } else { name }, plan.clone())
        });
        ring.follow(plan, self.settings.shared);
        self.first_use(&ring).await?;
        let labels = SignedWith { tenant: name.into(), kid: String::new(), alg: Algorithm::HS256.as_str() };
        let hs256_signed = match wanted {
            Algorithm::HS256 => self.keys.metrics.tokens_signed.get_or_create_owned(&labels),
            _ => Counter::default(),
        };
        Ok(TenantSigner { shared: self.clone(), ring, wanted, overrides: tenant.overrides.cloned(), hs256_signed })
    }

    /// Loads the set of `ring`, and makes it if there is none. However many ask, on however many replicas, one set comes
    /// out: here they take turns, and among replicas the first compare-and-set wins.
    async fn first_use(&self, ring: &KeyRing) -> Result<()> {
        if ring.snapshot().is_some() {
            return Ok(());
        }
        // Others must know of this replica before it publishes anything that they might change.
        self.ensure_present().await?;
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
            let (first, reason) = self.first_set(ring).await?;
            if self.keys.replace(&ring.name, loaded.as_ref(), first).await? {
                let tenant = ring.name.to_string();
                self.keys.metrics.key_rotations.get_or_create(&Rotation { tenant, reason }).inc();
            }
        }
    }

    /// The first keys of `ring`, and why: those of an older layout, or new ones.
    async fn first_set(&self, ring: &KeyRing) -> Result<(KeySet, &'static str)> {
        let plan = ring.plan.load_full();
        let grace = plan.policy.grace.as_secs();
        if let Some(older) = &self.older_keys
            && let Some(layout) = older.read().await?
        {
            let set = layout.adopt(&ring.name, &self.keys, grace)?;
            info!(tenant = %ring.name, "Adopted {} signing keys of the older layout", set.keys.len());
            return Ok((set, "adopted"));
        }
        let mut set = KeySet::default();
        for algorithm in &plan.algorithms {
            let mut key = self.keys.make(&ring.name, *algorithm, grace).await?;
            // Nobody has cached an empty set for long: there is nothing to wait for.
            (key.signs_from, key.at_once) = (Some(key.created_at), true);
            set.keys.push(key);
        }
        Ok((set, "first"))
    }

    fn note_store<T>(&self, result: &Result<T>) {
        self.keys.metrics.store_up.set(i64::from(result.is_ok()));
        match result {
            Err(error) if !self.store_is_away.swap(true, Ordering::Relaxed) => {
                warn!("Signing keys cannot be kept up with the store; signing goes on from memory: {error:#}");
            }
            Ok(_) if self.store_is_away.swap(false, Ordering::Relaxed) => {
                info!("Signing keys are kept up with the store again");
            }
            _ => {}
        }
    }

    /// Logs the signing keys of `ring`, where they are others than before.
    pub(super) fn log_signing(&self, ring: &KeyRing) {
        let (Some(snapshot), now) = (ring.snapshot(), self.keys.clock.now()) else { return };
        let signing = |algorithm| snapshot.set().signing(algorithm, now).map(|key| key.public.kid.clone());
        let kids: Vec<String> = snapshot.set().algorithms(now).into_iter().filter_map(signing).collect();
        let mut logged = ring.logged.lock().unwrap_or_else(PoisonError::into_inner);
        for kid in kids.iter().filter(|kid| !logged.contains(kid)) {
            info!(tenant = %ring.name, "Active key {kid} is being used for signing");
        }
        *logged = kids;
    }
}

/// What the set of a tenant must be able to sign with that wants `wanted` for its access tokens.
pub(super) fn algorithms(wanted: Algorithm) -> Vec<Algorithm> {
    let other = wanted.is_asymmetric() && wanted != Algorithm::RS256;
    [Some(Algorithm::RS256), other.then_some(wanted)].into_iter().flatten().collect()
}
