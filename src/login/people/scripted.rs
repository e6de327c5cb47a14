//! The people of whom a tenant's login script knows.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use async_trait::async_trait;

use super::inquiry::Inquiry;
use super::questions::{Heard, Questions, Said};
use super::source::{Confirmed, OutOfTime, People, Reply};
use super::stay_policy::StayPolicy;
use crate::login::Credentials;
use crate::login::script::{Script, ScriptError, ScriptPool, Update};
use crate::protocol::error::Unavailable;
use crate::registry::tenant::Tenant;
use crate::session::Identity;

/// The scripts of all tenants.
#[derive(Clone)]
pub(super) struct Scripted {
    pub(super) pool: ScriptPool,
    pub(super) policy: StayPolicy,
    pub(super) questions: Questions,
}

#[async_trait]
impl People for Scripted {
    async fn login(&self, tenant: &Tenant, credentials: &Credentials) -> Result<Reply<Identity>> {
        let Some(script) = script_of(tenant) else { return Ok(Reply::Undecided) };
        match self.pool.login(&script, credentials.clone()).await {
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

    /// Only `false` is a no: what goes wrong in a script says nothing about a person.
    async fn may_stay(&self, tenant: &Tenant, inquiry: Inquiry<'_>) -> Result<Reply<Confirmed>> {
        let Some(script) = script_of(tenant) else { return Ok(Reply::Undecided) };
        // Two people of one name may be different ones: the first was removed, and another came.
        let who = format!("{}\n{}\n{}", tenant.name, inquiry.person.subject, inquiry.person.username);
        let ask = self.ask(&script, &inquiry.person.username);
        let Heard { said, at } = self.questions.answer(who, inquiry, self.policy, ask).await;
        match said {
            Ok(Some(update)) => Ok(Reply::Yes(Confirmed { person: updated(inquiry.person, update), at })),
            Ok(None) => Ok(Reply::No),
            Err(ScriptError::MissingClass(_)) => Ok(Reply::Undecided),
            Err(error) => Err(unavailable(tenant, &error)),
        }
    }
}

impl Scripted {
    async fn ask(&self, script: &Script<'_>, username: &str) -> Said {
        let answer = tokio::time::timeout(self.policy.patience, self.pool.validate(script, username)).await;
        let said = answer.unwrap_or(Err(ScriptError::Timeout(self.policy.patience)));
        match &said {
            Ok(_) | Err(ScriptError::MissingClass(_)) => {}
            Err(error) => tracing::warn!(
                tenant = script.tenant,
                cause = %error,
                "the login script did not say whether a person may stay; the last yes counts for a while"
            ),
        }
        said
    }
}

/// The person with what is new about them.
fn updated(person: &Identity, update: Update) -> Identity {
    Identity {
        role: update.role.unwrap_or_else(|| person.role.clone()),
        scopes: update.scopes.unwrap_or_else(|| person.scopes.clone()),
        profile: update.profile.unwrap_or_else(|| person.profile.clone()),
        ..person.clone()
    }
}

/// The tenant's login script with its limits, where it has one.
pub fn script_of(tenant: &Tenant) -> Option<Script<'_>> {
    let fetch_hosts = tenant.fetch_hosts.as_ref().map(|hosts| Arc::from(hosts.as_slice()));
    let namespace = tenant.namespace.as_deref();
    tenant.script.clone().map(|source| Script { tenant: &tenant.name, namespace, source, fetch_hosts })
}

fn unavailable(tenant: &Tenant, error: &ScriptError) -> anyhow::Error {
    let cause = anyhow!("tenant {}: {error}", tenant.name);
    let cause = if error.is_out_of_time() { cause.context(OutOfTime) } else { cause };
    cause.context(Unavailable("the login provider"))
}
