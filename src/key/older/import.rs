//! What an operator does with the older layout: adopt it, or keep a key of it from being adopted.

use anyhow::{Context, Result};

use crate::key::commands::KeyCommands;
use crate::key::older::adopt::{OlderKeys, adopt};
use crate::key::older::withdrawn;
use crate::key::replicas::news;
use crate::key::signer_manager::TenantSigning;

impl KeyCommands {
    /// Adopts the older layout for `tenant`; answers the names of the adopted keys, or nothing where it has keys already.
    pub async fn import(&self, tenant: &TenantSigning<'_>, older: &dyn OlderKeys) -> Result<Option<Vec<String>>> {
        let (name, policy) = (self.set_name(tenant), self.policy(tenant)?);
        let loaded = self.keys.load(name).await?;
        if loaded.as_ref().is_some_and(|loaded| !loaded.record.keys.is_empty()) {
            return Ok(None);
        }
        let set = adopt(older, name, &self.keys, policy.grace.as_secs()).await?;
        let set = set.context("there is no older layout of keys to import")?;
        let kids = set.keys.iter().map(|key| key.public.kid.clone()).collect();
        if !self.keys.replace(name, loaded.as_ref(), set).await? {
            return Ok(None);
        }
        news::tell(&self.keys.store, name).await?;
        Ok(Some(kids))
    }

    /// Sees to it that no tenant adopts `kid` from the older layout any more, if it is there; answers whether it is.
    pub async fn withdraw(&self, kid: &str, older: &dyn OlderKeys) -> Result<bool> {
        let is_there = older.read().await?.is_some_and(|layout| layout.has(kid));
        if is_there {
            withdrawn::add(&self.keys.store, kid).await?;
        }
        Ok(is_there)
    }
}
