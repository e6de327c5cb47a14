//! What an operator does with keys that nothing proves to be ours: take them over, or remove them.

use anyhow::{Result, ensure};

use crate::key::commands::KeyCommands;
use crate::key::custody::mac::Foreign;
use crate::key::replicas::news;
use crate::key::settings::TenantSigning;

impl KeyCommands {
    /// Seals the keys of `tenant` that lie unsealed in the store, because a secret was configured only now, and takes them
    /// over as ours; answers their names. For an operator who knows that nobody else has written to the store.
    pub async fn seal(&self, tenant: &TenantSigning<'_>) -> Result<Vec<String>> {
        let (name, custody) = (self.set_name(tenant), &self.keys.custody);
        ensure!(custody.sealer.is_sealing(), "SIGNING_KEY_SECRET is not set here, so there is nothing to seal with");
        self.meet().await?;
        let Some(loaded) = self.keys.load_strange(name).await? else { return Ok(Vec::new()) };
        let mut set = loaded.record.clone();
        let kids = custody.take_over(name, &mut set)?;
        if !kids.is_empty() {
            let stored = self.keys.replace(name, Some(&loaded), set).await?;
            ensure!(stored, "the keys of tenant {name} changed at this moment; try again");
        }
        news::tell(&self.keys.store, name).await?;
        Ok(kids)
    }

    /// Removes `kid` from the store, if it is not ours; answers whether it was there. Where nothing is ours, keys of another
    /// secret stay: then it is the secret that is wrong.
    pub(super) async fn remove_foreign(&self, name: &str, kid: &str) -> Result<bool> {
        self.meet().await?;
        let Some(loaded) = self.keys.load_strange(name).await? else { return Ok(false) };
        let mut set = loaded.record.clone();
        let is_knowing = !set.keys.is_empty();
        set.foreign.retain(|(key, reason)| key.kid() != kid || (*reason == Foreign::UnknownSecret && !is_knowing));
        if set.foreign.len() == loaded.record.foreign.len() {
            return Ok(false);
        }
        let stored = self.keys.replace(name, Some(&loaded), set).await?;
        ensure!(stored, "the keys of tenant {name} changed at this moment; try again");
        news::tell(&self.keys.store, name).await?;
        Ok(true)
    }
}
