//! What the server hands out and wants back unread and unchanged: sealed with AES-256-GCM-SIV (RFC 8452) under keys that
//! HKDF-SHA256 (RFC 5869) derives from a secret that all replicas have. Whoever asks often enough can make the server
//! seal as much as they like, so a nonce that comes twice must cost nothing: GCM would lose its key, SIV does not.
//!
//! The secret is `SIGNING_KEY_SECRET`; without one, or while not every replica has it, it is a record of the store, made
//! once for all. `JWT_SECRET` is not used: resource servers know it.

mod kept_secret;
mod root;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use arc_swap::ArcSwapOption;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::{Clock, Timestamp};
use crate::random::Random;
use crate::secret::Secret;
use crate::store::Store;

use kept_secret::{Kept, LOOK_AGAIN};
use root::Root;

pub use root::Purpose;

/// A secret of the configuration.
pub struct Configured {
    /// The name under which replicas tell each other that they have it, which reveals nothing about it.
    pub name: String,
    /// The secret.
    pub secret: Secret,
}

/// A shorter secret can be guessed by whoever holds what it sealed; it only opens.
const MIN_SECRET: usize = 32;

/// Seals and opens. No lock and no access to the store, except once a minute where the secret is a record.
pub struct Sealing {
    configured: Vec<Root>,
    kept: ArcSwapOption<Kept>,
    /// The whole store, of no tenant.
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Sealing {
    /// The first of `secrets` that every replica has seals; all open. `store` is the whole store, of no tenant.
    pub fn new(store: Store, secrets: &[Configured], clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self> {
        let root = |Configured { name, secret }: &Configured| {
            let is_strong = secret.expose().len() >= MIN_SECRET;
            Root::derive(name, secret.expose().as_bytes(), is_strong)
        };
        let configured = secrets.iter().map(root).collect::<Result<_>>()?;
        Ok(Self { configured, kept: ArcSwapOption::empty(), store, clock, random })
    }

    /// Seals `plain` so that it opens for the same purpose and `context` alone: the name of the key, a dot, and base64url.
    /// `everywhere` names the secrets that every living replica has.
    pub async fn seal(
        &self,
        purpose: Purpose,
        plain: &[u8],
        context: &[u8],
        everywhere: &BTreeSet<String>,
    ) -> Result<String> {
        let mut nonce = [0; root::NONCE];
        self.random.fill(&mut nonce);
        if let Some(root) = self.configured.iter().find(|root| root.is_strong && everywhere.contains(&root.name)) {
            return root.seal(purpose, plain, context, nonce);
        }
        self.kept().await?.current().seal(purpose, plain, context, nonce)
    }

    /// What was sealed; `None` if it was not sealed here for this purpose and `context`, or with a secret that is gone.
    pub async fn open(&self, purpose: Purpose, sealed: &str, context: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some((name, data)) = sealed.split_once('.') else { return Ok(None) };
        let Ok(data) = URL_SAFE_NO_PAD.decode(data) else { return Ok(None) };
        if let Some(root) = self.configured.iter().find(|root| root.name == name) {
            return Ok(root.open(purpose, data, context));
        }
        let kept = self.kept_named(name).await?;
        Ok(kept.and_then(|kept| kept.named(name)?.open(purpose, data, context)))
    }

    /// A digest of `data` that nobody without the secret can make: the same on all replicas.
    pub async fn digest(&self, purpose: &[u8], data: &[u8]) -> Result<[u8; 32]> {
        match self.configured.iter().find(|root| root.is_strong) {
            Some(root) => Ok(root.digest(purpose, data)),
            None => Ok(self.kept().await?.current().digest(purpose, data)),
        }
    }

    /// The secret of the store; made, or put back, if it is not there.
    async fn kept(&self) -> Result<Arc<Kept>> {
        let now = self.clock.now();
        match self.kept.load_full() {
            Some(kept) if kept.is_fresh(now) => Ok(kept),
            known => self.look(known, now, true).await?.ok_or_else(|| anyhow!("the store kept no secret for sealing")),
        }
    }

    /// The secrets of the store if one may be called `name`. A stranger who makes names up causes a look now and then;
    /// where the store keeps none, a look each time, as a step that is stored would.
    async fn kept_named(&self, name: &str) -> Result<Option<Arc<Kept>>> {
        let known = self.kept.load_full();
        let now = self.clock.now();
        let is_enough = |kept: &Kept| kept.named(name).is_some() || now.since(kept.looked_at) < LOOK_AGAIN;
        if known.as_ref().is_some_and(|kept| is_enough(kept)) { Ok(known) } else { self.look(known, now, false).await }
    }

    async fn look(&self, known: Option<Arc<Kept>>, now: Timestamp, make: bool) -> Result<Option<Arc<Kept>>> {
        let kept = Kept::look(&self.store, known.as_deref(), now, self.random.as_ref(), make).await?.map(Arc::new);
        if kept.is_some() {
            self.kept.store(kept.clone());
        }
        Ok(kept)
    }
}
