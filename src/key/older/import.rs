//! What an operator does with the older layout: adopt it, withdraw a key of it, or remove it.

use anyhow::{Context, Result};

use crate::key::commands::KeyCommands;
use crate::key::older::adopt::adopt;
use crate::key::older::layout::OlderLayout;
use crate::key::older::withdrawn;
use crate::key::replicas::news;
use crate::key::settings::TenantSigning;

impl KeyCommands {
    /// Adopts the older layout for `tenant`; answers the names of the adopted keys, or nothing where it has keys already.
    pub async fn import(&self, tenant: &TenantSigning<'_>) -> Result<Option<Vec<String>>> {
        let (name, policy) = (self.set_name(tenant), self.policy(tenant)?);
        let loaded = self.load(name).await?;
        if loaded.as_ref().is_some_and(|loaded| !loaded.record.keys.is_empty()) {
            return Ok(None);
        }
        let set = adopt(&self.keys, name, policy.grace.as_secs()).await?;
        let set = set.context("there is no older layout of keys to import")?;
        let kids = set.keys.iter().map(|key| key.public.kid.clone()).collect();
        if !self.keys.replace(name, loaded.as_ref(), set).await? {
            return Ok(None);
        }
        news::tell(&self.keys.store, name).await?;
        Ok(Some(kids))
    }

    /// Keeps all tenants from adopting `kid` of the older layout; answers whether that has such a key.
    pub async fn withdraw(&self, kid: &str) -> Result<bool> {
        let layout = OlderLayout::read(&self.keys.store).await?;
        let is_there = layout.is_some_and(|layout| layout.keys.iter().any(|key| key.kid == kid));
        if is_there {
            withdrawn::add(&self.keys.store, kid).await?;
        }
        Ok(is_there)
    }

    /// Removes the older layout for good.
    pub async fn remove_older(&self) -> Result<()> {
        OlderLayout::remove(&self.keys.store).await
    }
}
