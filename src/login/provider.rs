//! A tenant's people: asked of its login script, or of the few that it lists itself.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use super::password::PasswordChecker;
use super::script::{Script, ScriptError, ScriptLimits, ScriptPool};
use super::{Credentials, Identity};
use crate::protocol::error::Unavailable;
use crate::registry::tenant::{Tenant, User};

/// Who may sign in, and who may stay. Cheap to clone.
#[derive(Clone)]
pub struct LoginProvider {
    scripts: ScriptPool,
    passwords: PasswordChecker,
    /// Whether a person may stay of whom no `UserValidationProvider` can say so.
    allow_missing_providers: bool,
}

impl LoginProvider {
    /// A provider whose scripts run under `limits`.
    pub fn new(limits: ScriptLimits, allow_missing_providers: bool) -> Self {
        Self { scripts: ScriptPool::new(limits), passwords: PasswordChecker::new(), allow_missing_providers }
    }

    /// The person whose credentials these are; `None`: nobody, without saying why.
    ///
    /// Errors: [`Unavailable`] when too many scripts are under way to ask at all.
    pub async fn login(&self, tenant: &Tenant, credentials: Credentials) -> Result<Option<Identity>> {
        let Some(script) = script_of(tenant) else { return Ok(self.login_listed(tenant, &credentials).await) };
        let listed = (!tenant.users.is_empty()).then(|| credentials.clone());
        match (self.scripts.login(&script, credentials).await, listed) {
            (Ok(identity), _) => Ok(identity),
            // The script has a `UserValidationProvider` alone: the tenant's own list says who may come in.
            (Err(ScriptError::MissingClass(_)), Some(credentials)) => Ok(self.login_listed(tenant, &credentials).await),
            (Err(error @ ScriptError::PoolExhausted), _) => Err(unavailable(tenant, &error)),
            (Err(error), _) => {
                tracing::warn!(tenant = &*tenant.name, cause = %error, "the login script gave no answer; nobody is signed in");
                Ok(None)
            }
        }
    }

    /// Whether a person who signed in before may stay; asked at each refresh.
    ///
    /// Errors: [`Unavailable`] when nobody could be asked: that is not a no, and a client may try again.
    pub async fn is_valid(&self, tenant: &Tenant, username: &str) -> Result<bool> {
        let Some(script) = script_of(tenant) else { return Ok(self.is_listed(tenant, username)) };
        match self.scripts.is_valid(&script, username).await {
            Ok(Some(valid)) => Ok(valid),
            Ok(None) => Ok(self.is_listed(tenant, username)),
            Err(error @ (ScriptError::PoolExhausted | ScriptError::Timeout(_) | ScriptError::Busy(_))) => {
                Err(unavailable(tenant, &error))
            }
            Err(error) => {
                tracing::warn!(tenant = &*tenant.name, cause = %error, "the validation script gave no answer; the person may not stay");
                Ok(false)
            }
        }
    }

    /// Where passwords and secrets are compared, no more at once than the machine has cores.
    pub fn passwords(&self) -> &PasswordChecker {
        &self.passwords
    }

    /// Compares with the tenant's own list; takes as long for a name that is not on it.
    async fn login_listed(&self, tenant: &Tenant, credentials: &Credentials) -> Option<Identity> {
        let user = find(tenant, &credentials.username);
        // The operator chose what a hash costs, so a stranger is compared with the hash of somebody who is on the list.
        let hash = user.or(tenant.users.first()).map(|user| user.password_hash.as_str());
        let proven = self.passwords.verify(hash, &credentials.password).await;
        user.filter(|_| proven).map(identity)
    }

    /// Without a `UserValidationProvider`, a person on the tenant's list may stay as long as they are on it; of others
    /// the setting decides.
    fn is_listed(&self, tenant: &Tenant, username: &str) -> bool {
        match tenant.users.is_empty() {
            true => self.allow_missing_providers,
            false => find(tenant, username).is_some(),
        }
    }
}

/// The tenant's login script with its limits, where it has one.
pub fn script_of(tenant: &Tenant) -> Option<Script<'_>> {
    let fetch_hosts = tenant.fetch_hosts.as_ref().map(|hosts| Arc::from(hosts.as_slice()));
    tenant.script.clone().map(|source| Script { tenant: &tenant.name, source, fetch_hosts })
}

fn find<'a>(tenant: &'a Tenant, username: &str) -> Option<&'a User> {
    tenant.users.iter().find(|user| user.username == username)
}

fn identity(user: &User) -> Identity {
    Identity {
        subject: user.subject.clone().unwrap_or_else(|| user.username.clone()),
        username: user.username.clone(),
        role: user.role.clone(),
        scopes: user.scopes.clone(),
        profile: user.profile.clone(),
    }
}

fn unavailable(tenant: &Tenant, error: &ScriptError) -> anyhow::Error {
    anyhow!("tenant {}: {error}", tenant.name).context(Unavailable("the login provider"))
}
