//! What each word of `keys` does and prints. A tenant that fails does not hold up the others.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use serde_json::json;
use uitsmijter::key::TenantSigning;
use uitsmijter::key::commands::{KeyCommands, Rotated, Start};
use uitsmijter::protocol::error::Unavailable;
use uitsmijter::registry::tenant::Tenant;

use super::key_table;
use super::output::Output;
use super::whose::Whose;

/// A key to revoke.
pub(super) struct Leaked {
    /// Its key id.
    pub(super) kid: String,
    /// Whether to end the sessions as well.
    pub(super) sessions: bool,
}

pub(super) async fn list(commands: &KeyCommands, said: &mut Output, tenants: &[Arc<Tenant>], json: bool) -> Result<()> {
    let mut keys = Vec::new();
    let listed = for_each(tenants, said, async |tenant, _| {
        keys.extend(commands.list(&TenantSigning::of(tenant)).await?);
        Ok(())
    });
    let outcome = listed.await;
    // Keys that could be read are shown, even if others could not.
    if json {
        said.json(&keys)?;
    } else if !keys.is_empty() || outcome.is_ok() {
        said.text(&key_table::table(&keys));
    }
    outcome
}

pub(super) async fn rotate(
    commands: &KeyCommands,
    said: &mut Output,
    tenants: &[Arc<Tenant>],
    start: Start,
    whose: &Whose,
) -> Result<()> {
    for_each(tenants, said, async |tenant, said| {
        // A tenant that was never used has nothing to rotate; it is a mistake only where it was named.
        let rotated = if whose.tenant.is_some() || commands.has_keys(&TenantSigning::of(tenant)).await? {
            commands.rotate(&TenantSigning::of(tenant), start).await?
        } else {
            Vec::new()
        };
        if whose.json {
            return said.json(&json!({ "tenant": tenant.name.as_ref(), "rotated": rotated }));
        }
        if rotated.is_empty() {
            said.line(format!("{}: no keys yet", tenant.name));
        }
        for key in rotated {
            said.line(format!("{}: {} key {} {}", tenant.name, key.algorithm, key.kid, what_follows(start, &key)));
        }
        Ok(())
    })
    .await
}

fn what_follows(start: Start, key: &Rotated) -> &'static str {
    match (start, key.was_announced) {
        (Start::Now, false) => {
            "signs from now on; resource servers that cache the key set refuse its tokens until they fetch it again"
        }
        (Start::Now, true) => {
            "signs from now on; it was already announced, so only resource servers with an older key set refuse its tokens"
        }
        (Start::Announced, false) => "is announced; it signs once every replica has published it for long enough",
        (Start::Announced, true) => "was already announced and will sign as scheduled",
    }
}

/// Revokes a key at every tenant that has it: all that adopted the older layout have the same keys.
pub(super) async fn revoke(
    commands: &KeyCommands,
    said: &mut Output,
    tenants: &[Arc<Tenant>],
    leaked: &Leaked,
    whose: &Whose,
) -> Result<()> {
    let kid = &leaked.kid;
    // First, so that tenants that adopt the layout from now on do so without this key.
    let mut found = whose.tenant.is_none() && commands.withdraw(kid).await?;
    if found && !whose.json {
        said.line(format!("{kid} belongs to the older layout; no tenant will adopt it"));
    }
    let revoked = for_each(tenants, said, async |tenant, said| {
        if !commands.has_key(&TenantSigning::of(tenant), kid).await? {
            return Ok(());
        }
        found = true;
        let successor = commands.revoke(&TenantSigning::of(tenant), kid).await?;
        if leaked.sessions {
            commands.end_sessions(&TenantSigning::of(tenant)).await?;
        }
        match (whose.json, successor) {
            (true, next) => {
                said.json(&json!({ "tenant": tenant.name.as_ref(), "revoked": kid, "signs_now": next }))?;
            }
            (false, Some(next)) => said.line(format!("{}: {kid} is revoked; {next} signs from now on", tenant.name)),
            (false, None) => said.line(format!("{}: {kid} is revoked", tenant.name)),
        }
        Ok(())
    });
    revoked.await?;
    ensure!(found, "no tenant has a key {kid}; `uitsmijter keys list` shows them");
    Ok(())
}

pub(super) async fn seal(commands: &KeyCommands, said: &mut Output, tenants: &[Arc<Tenant>], json: bool) -> Result<()> {
    for_each(tenants, said, async |tenant, said| {
        let kids = commands.seal(&TenantSigning::of(tenant)).await?;
        match (json, kids.is_empty()) {
            (true, _) => said.json(&json!({ "tenant": tenant.name.as_ref(), "sealed": kids }))?,
            (false, true) => said.line(format!("{}: nothing to seal", tenant.name)),
            (false, false) => said.line(format!("{}: sealed {}", tenant.name, kids.join(", "))),
        }
        Ok(())
    })
    .await
}

pub(super) async fn import(
    commands: &KeyCommands,
    said: &mut Output,
    tenants: &[Arc<Tenant>],
    all: &[Arc<Tenant>],
    json: bool,
) -> Result<()> {
    // The keys of the other tenants tell which secret the servers have.
    for_each(all, said, async |tenant, _| commands.ensure_trusted(&TenantSigning::of(tenant)).await).await?;
    for_each(tenants, said, async |tenant, said| {
        let kids = commands.import(&TenantSigning::of(tenant)).await?;
        match (json, kids) {
            (true, kids) => said.json(&json!({ "tenant": tenant.name.as_ref(), "imported": kids }))?,
            (false, Some(kids)) => said.line(format!("{}: imported {}", tenant.name, kids.join(", "))),
            (false, None) => said.line(format!("{}: has keys already", tenant.name)),
        }
        Ok(())
    })
    .await
}

/// Removes the older layout, which all tenants share, once every tenant has keys of its own.
pub(super) async fn delete(commands: &KeyCommands, all: &[Arc<Tenant>]) -> Result<()> {
    let mut waiting = Vec::new();
    for tenant in all {
        if !commands.has_keys(&TenantSigning::of(tenant)).await? {
            waiting.push(tenant.name.to_string());
        }
    }
    ensure!(
        waiting.is_empty(),
        "the older keys stay, because these tenants have no keys yet: {}; import without --tenant first",
        waiting.join(", ")
    );
    commands.remove_older().await
}

pub(super) async fn export(commands: &KeyCommands, said: &mut Output, tenants: &[Arc<Tenant>]) -> Result<()> {
    ensure!(tenants.len() == 1, "a key set belongs to one tenant: name it with --tenant");
    said.json(&commands.export(&TenantSigning::of(&tenants[0])).await?)
}

/// Does `work` for each tenant. A failure at one is printed, and the others get their turn, unless the store is away.
pub(super) async fn for_each(
    tenants: &[Arc<Tenant>],
    said: &mut Output,
    mut work: impl AsyncFnMut(&Tenant, &mut Output) -> Result<()>,
) -> Result<()> {
    let mut failed = Vec::new();
    for tenant in tenants {
        match work(tenant, said).await {
            Ok(()) => {}
            Err(error) if tenants.len() == 1 || error.is::<Unavailable>() => return Err(error),
            Err(error) => {
                said.error(format!("{}: {error:#}", tenant.name));
                failed.push(tenant.name.to_string());
            }
        }
    }
    if !failed.is_empty() {
        bail!("{} of {} tenants failed: {}", failed.len(), tenants.len(), failed.join(", "));
    }
    Ok(())
}
