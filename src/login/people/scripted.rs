//! The people of whom a tenant's login script knows.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use async_trait::async_trait;

use super::source::{People, Reply};
use crate::login::Credentials;
use crate::login::script::{Script, ScriptError, ScriptPool};
use crate::protocol::error::Unavailable;
use crate::registry::tenant::Tenant;
use crate::session::Identity;

/// The scripts of all tenants.
#[derive(Clone)]
pub(super) struct Scripted(pub(super) ScriptPool);

#[async_trait]
impl People for Scripted {
    async fn login(&self, tenant: &Tenant, credentials: &Credentials) -> Result<Reply<Identity>> {
        let Some(script) = script_of(tenant) else { return Ok(Reply::Undecided) };
        match self.0.login(&script, credentials.clone()).await {
            Ok(Some(identity)) => Ok(Reply::Yes(identity)),
            Ok(None) => Ok(Reply::No),
            // The script has a `UserValidationProvider` alone: the tenant's own list says who may come in.
            Err(ScriptError::MissingClass(_)) if !tenant.users.is_empty() => Ok(Reply::Undecided),
            Err(error) if error.is_outage() => Err(unavailable(tenant, &error)),
            Err(error) => {
                tracing::warn!(tenant = &*tenant.name, cause = %error, "the login script gave no answer; nobody is signed in");
                Ok(Reply::No)
            }
        }
    }

    async fn may_stay(&self, tenant: &Tenant, username: &str) -> Result<Reply<()>> {
        let Some(script) = script_of(tenant) else { return Ok(Reply::Undecided) };
        match self.0.is_valid(&script, username).await {
            Ok(Some(true)) => Ok(Reply::Yes(())),
            Ok(Some(false)) => Ok(Reply::No),
            Ok(None) => Ok(Reply::Undecided),
            Err(error) if error.is_outage() => Err(unavailable(tenant, &error)),
            Err(error) => {
                tracing::warn!(tenant = &*tenant.name, cause = %error, "the validation script gave no answer; the person may not stay");
                Ok(Reply::No)
            }
        }
    }
}

/// The tenant's login script with its limits, where it has one.
pub fn script_of(tenant: &Tenant) -> Option<Script<'_>> {
    let fetch_hosts = tenant.fetch_hosts.as_ref().map(|hosts| Arc::from(hosts.as_slice()));
    tenant.script.clone().map(|source| Script { tenant: &tenant.name, source, fetch_hosts })
}

fn unavailable(tenant: &Tenant, error: &ScriptError) -> anyhow::Error {
    anyhow!("tenant {}: {error}", tenant.name).context(Unavailable("the login provider"))
}
