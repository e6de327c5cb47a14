//! The keychain of this replica: the key rings of all tenants in use, and what keeps them up to date.
//!
//! Each file is one occasion at which it works: the [`first_use`] of a tenant, the news of other replicas
//! ([`follow_news`]), and the [`tick`] that carries out the policy. They build on [`reload`], which reads and changes one
//! set, and on [`upkeep`].

pub mod first_use;
pub mod follow_news;
pub mod reload;
pub mod tick;
pub mod upkeep;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

use tracing::info;

use crate::key::hs256::Hs256;
use crate::key::key_ring::KeyRing;
use crate::key::key_store::KeyStore;
use crate::key::replicas::presence::Presence;
use crate::key::settings::SigningSettings;
use crate::key::tenant_map::TenantMap;
use crate::metrics::Rotation;

/// What the signers of all tenants share.
pub struct Keychain {
    pub(super) keys: KeyStore,
    pub(super) settings: SigningSettings,
    pub(super) hs256: Option<Hs256>,
    pub(super) rings: TenantMap<KeyRing>,
    pub(super) presence: Presence,
    is_behind: AtomicBool,
}

/// How many sets are read or changed at the same time.
const AT_A_TIME: usize = 16;

impl Keychain {
    /// Without any rings yet.
    pub fn new(keys: KeyStore, settings: SigningSettings, presence: Presence) -> Self {
        let hs256 = settings.hs256_secret.as_ref().map(Hs256::new);
        let (rings, is_behind) = Default::default();
        Self { keys, settings, hs256, rings, presence, is_behind }
    }

    /// The rings that are loaded.
    fn rings_in_use(&self) -> Vec<Arc<KeyRing>> {
        self.rings.values().into_iter().filter(|ring| ring.snapshot().is_some()).collect()
    }

    /// Logs the signing keys of `ring` that were not logged before, as far as this replica can sign with them.
    fn log_signing(&self, ring: &KeyRing) {
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

    fn count_rotation(&self, ring: &KeyRing, reason: &'static str) {
        let labels = Rotation { tenant: ring.name.to_string(), reason };
        self.keys.metrics.key_rotations.get_or_create(&labels).inc();
    }
}
