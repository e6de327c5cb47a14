//! What `uitsmijter keys` does: on the same store, safe while servers run. Printing is for the caller.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::clock::{Clock, Timestamp};
use crate::key::custody::Custody;
use crate::key::key_store::KeyStore;
use crate::key::listing::ListedKey;
use crate::key::plan::Plan;
use crate::key::policy::RotationPolicy;
use crate::key::record::{KeySet, SKEW, StoredKey};
use crate::key::replicas::heartbeat::Heartbeat;
use crate::key::replicas::news;
use crate::key::replicas::progress::Replicas;
use crate::key::settings::{SigningSettings, TenantSigning};
use crate::protocol::jwk::{Algorithm, Jwk, JwkSet};
use crate::random::Random;
use crate::store::{Loaded, Store};

/// The commands of an operator.
pub struct KeyCommands {
    pub(super) keys: KeyStore,
    settings: SigningSettings,
    /// Under `scope: shared`: what all tenants ask for together.
    shared: Option<Plan>,
}

/// What became of a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// What the new key signs with.
    pub algorithm: Algorithm,
    /// The new key.
    pub kid: String,
    /// Whether it was there already, announced before.
    pub was_announced: bool,
}

/// When a new key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// After every replica has published it for long enough.
    Announced,
    /// At once. Resource servers that cache the JWKS refuse its tokens until they fetch it again, unless the key was
    /// announced before.
    Now,
}

impl KeyCommands {
    /// Commands on `store`, which is the whole store, under the settings that the servers have.
    pub fn new(
        store: Store,
        settings: SigningSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        settings.check()?;
        let custody = Custody::new(&settings, random)?;
        let (metrics, understood) = Default::default();
        let keys = KeyStore { store, custody, clock, metrics, understood };
        Ok(Self { keys, settings, shared: None })
    }

    /// Takes in what all tenants ask for, which matters where they share one set.
    pub fn knowing<'a>(mut self, tenants: impl Iterator<Item = TenantSigning<'a>>) -> Result<Self> {
        for tenant in tenants.filter(|_| self.settings.shared) {
            self.shared = Some(self.plan(&tenant)?);
        }
        Ok(self)
    }

    /// The keys of `tenant`: the signing ones, the announced, the retired, the others. Empty before its first use.
    pub async fn list(&self, tenant: &TenantSigning<'_>) -> Result<Vec<ListedKey>> {
        let (name, policy, now) = (self.set_name(tenant), self.policy(tenant)?, self.keys.clock.now());
        let replicas = Replicas::of(&self.meet().await?, name);
        let Some(loaded) = self.keys.load_strange(name).await? else { return Ok(Vec::new()) };
        let (set, sealer) = (&loaded.record, &self.keys.custody.sealer);
        let listed = |key| ListedKey::of(name, set, key, &policy, &replicas, sealer, now);
        let mut keys: Vec<ListedKey> = set.keys.iter().map(listed).collect();
        keys.extend(set.foreign.iter().map(|(key, reason)| listed(key).because(*reason)));
        keys.sort_by(|a, b| a.state.cmp(&b.state).then(b.created_at.cmp(&a.created_at)).then(a.kid.cmp(&b.kid)));
        Ok(keys)
    }

    /// Announces a new key for each algorithm of `tenant`, or lets it sign at once. Where a key is announced already, it
    /// is that one.
    pub async fn rotate(&self, tenant: &TenantSigning<'_>, start: Start) -> Result<Vec<Rotated>> {
        let name = self.set_name(tenant);
        let mut rotated = Vec::new();
        for algorithm in self.plan(tenant)?.algorithms {
            let now = self.keys.clock.now();
            let spare = self.spare(tenant, algorithm, now).await?;
            let mut outcome = None;
            self.change(name, |set| {
                let (kid, was_announced) = next_key(set, algorithm, spare.as_ref(), now)?;
                let starts = start == Start::Now && set.start_at_once(&kid, now);
                outcome = Some(Rotated { algorithm, kid, was_announced });
                Ok(starts || !was_announced)
            })
            .await?;
            rotated.extend(outcome);
        }
        Ok(rotated)
    }

    /// Withdraws `kid`: out of the JWKS at once, and nothing that it signed is believed. If it signs now, another key
    /// takes its place at once; answers which.
    pub async fn revoke(&self, tenant: &TenantSigning<'_>, kid: &str) -> Result<Option<String>> {
        let (name, now) = (self.set_name(tenant), self.keys.clock.now());
        if self.remove_foreign(name, kid).await? {
            return Ok(None);
        }
        let set = self.load(name).await?.with_context(|| format!("tenant {name} has no keys yet"))?.record;
        let key = set.key(kid).with_context(|| format!("tenant {name} has no key {kid}"))?;
        let algorithm = key.algorithm();
        let signs = |set: &KeySet| set.signing(algorithm, now).is_some_and(|key| key.kid() == kid);
        let spare = if signs(&set) { self.spare(tenant, algorithm, now).await? } else { None };
        let mut successor = None;
        self.change(name, |set| {
            let signs = signs(set);
            if !set.revoke(kid, now) {
                return Ok(false);
            }
            if signs {
                let (next, _) = next_key(set, algorithm, spare.as_ref(), now)?;
                set.start_at_once(&next, now);
                successor = Some(next);
            }
            Ok(true)
        })
        .await?;
        Ok(successor)
    }

    /// Ends every session and grant that `tenant` has until now: for a key that leaked, with which anybody could have
    /// begun them. Every replica knows within two seconds, and asks no store for it. A replica's clock may be ahead of
    /// this one, so people who sign in within [`SKEW`] have to do so again.
    pub async fn end_sessions(&self, tenant: &TenantSigning<'_>) -> Result<()> {
        let until = self.keys.clock.now() + SKEW;
        self.change(self.set_name(tenant), |set| {
            set.sessions_ended_at = Some(until);
            Ok(true)
        })
        .await
    }

    /// The public keys of `tenant`, as the JWKS shows them.
    pub async fn export(&self, tenant: &TenantSigning<'_>) -> Result<JwkSet> {
        let (name, policy) = (self.set_name(tenant), self.policy(tenant)?);
        let loaded = self.load(name).await?.with_context(|| format!("tenant {name} has no keys yet"))?;
        let published: Vec<Jwk> = loaded
            .record
            .published(policy.grace, self.keys.clock.now())
            .into_iter()
            .map(|key| key.public.clone())
            .collect();
        Ok(JwkSet { keys: published })
    }

    /// Refuses to go on when `tenant` has keys that this process could not open: see [`Custody::ensure_trusted`].
    pub async fn ensure_trusted(&self, tenant: &TenantSigning<'_>) -> Result<()> {
        let name = self.set_name(tenant);
        self.load(name).await?.map_or(Ok(()), |loaded| self.keys.custody.ensure_trusted(name, &loaded.record))
    }

    /// Whether `tenant` has keys; it has none before its first use.
    pub async fn has_keys(&self, tenant: &TenantSigning<'_>) -> Result<bool> {
        self.keys.has_keys(self.set_name(tenant)).await
    }

    /// Whether `tenant` has this key.
    pub async fn has_key(&self, tenant: &TenantSigning<'_>, kid: &str) -> Result<bool> {
        let loaded = self.keys.load_strange(self.set_name(tenant)).await?;
        let is_foreign = |set: &KeySet| set.foreign.iter().any(|(key, _)| key.kid() == kid);
        Ok(loaded.is_some_and(|loaded| loaded.record.key(kid).is_some() || is_foreign(&loaded.record)))
    }

    /// The set of `name`, read and written in the form that all living replicas understand.
    pub(super) async fn load(&self, name: &str) -> Result<Option<Loaded<KeySet>>> {
        self.meet().await?;
        self.keys.load(name).await
    }

    pub(super) async fn meet(&self) -> Result<Vec<Heartbeat>> {
        let living = Heartbeat::all(&self.keys.store).await?;
        self.keys.understood.learn(&living, true);
        Ok(living)
    }

    /// A new key for [`next_key`], unless one is announced already.
    async fn spare(
        &self,
        tenant: &TenantSigning<'_>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Option<StoredKey>> {
        let (name, policy) = (self.set_name(tenant), self.policy(tenant)?);
        let loaded = self.load(name).await?.with_context(|| format!("tenant {name} has no keys yet"))?;
        if loaded.record.coming(algorithm, now).is_some() {
            return Ok(None);
        }
        self.keys.custody.ensure_trusted(name, &loaded.record)?;
        Ok(Some(self.keys.make(name, algorithm, policy.grace.as_secs()).await?))
    }

    async fn change(&self, name: &str, change: impl FnMut(&mut KeySet) -> Result<bool>) -> Result<()> {
        self.meet().await?;
        match self.keys.update(name, change).await? {
            // Also if nothing changed: an earlier try may have stored the change and failed to tell the others.
            Some(_) => news::tell(&self.keys.store, name).await.map(drop),
            None => bail!("tenant {name} has no keys yet"),
        }
    }

    pub(super) fn set_name<'a>(&self, tenant: &TenantSigning<'a>) -> &'a str {
        self.settings.set_name(tenant.name)
    }

    fn plan(&self, tenant: &TenantSigning<'_>) -> Result<Plan> {
        let plan = Plan::of(tenant, &self.settings)?;
        Ok(self.shared.iter().fold(plan, Plan::and))
    }

    pub(super) fn policy(&self, tenant: &TenantSigning<'_>) -> Result<RotationPolicy> {
        Ok(self.plan(tenant)?.policy)
    }
}

/// The announced key of `set`, or `spare` put into it; and whether it was there already.
fn next_key(
    set: &mut KeySet,
    algorithm: Algorithm,
    spare: Option<&StoredKey>,
    now: Timestamp,
) -> Result<(String, bool)> {
    if let Some(key) = set.coming(algorithm, now) {
        return Ok((key.public.kid.clone(), true));
    }
    let spare = spare.context("the keys changed at this moment; try again")?;
    set.keys.push(spare.clone());
    Ok((spare.public.kid.clone(), false))
}
