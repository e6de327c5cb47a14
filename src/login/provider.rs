//! A tenant's people: asked of its login script, or of the few that it lists itself.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use super::Credentials;
use super::password::{PasswordChecker, cost};
use super::script::{Script, ScriptError, ScriptLimits, ScriptPool};
use crate::protocol::error::Unavailable;
use crate::registry::tenant::{Tenant, User};
use crate::session::Identity;

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
    /// Errors: [`Unavailable`] when nobody could be asked: that is not a no, and must not count as a wrong password.
    pub async fn login(&self, tenant: &Tenant, credentials: Credentials) -> Result<Option<Identity>> {
        let Some(script) = script_of(tenant) else { return Ok(self.login_listed(tenant, &credentials).await) };
        let listed = (!tenant.users.is_empty()).then(|| credentials.clone());
        match (self.scripts.login(&script, credentials).await, listed) {
            (Ok(identity), _) => Ok(identity),
            // The script has a `UserValidationProvider` alone: the tenant's own list says who may come in.
            (Err(ScriptError::MissingClass(_)), Some(credentials)) => Ok(self.login_listed(tenant, &credentials).await),
            (Err(error), _) if error.is_outage() => Err(unavailable(tenant, &error)),
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
            Err(error) if error.is_outage() => Err(unavailable(tenant, &error)),
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
        let user = tenant.users.get(&credentials.username);
        let compared = of_every_cost(tenant.users.values(), user);
        if compared.is_empty() {
            self.passwords.verify(None, &credentials.password).await;
        }
        let mut proven = false;
        for other in compared {
            let matches = self.passwords.verify(Some(&other.password_hash), &credentials.password).await;
            proven |= matches && user.is_some_and(|user| std::ptr::eq(user, other));
        }
        user.filter(|_| proven).map(identity)
    }

    /// Without a `UserValidationProvider`, a person on the tenant's list may stay as long as they are on it; of others
    /// the setting decides.
    fn is_listed(&self, tenant: &Tenant, username: &str) -> bool {
        match tenant.users.is_empty() {
            true if !self.allow_missing_providers => {
                tracing::warn!(
                    tenant = &*tenant.name,
                    "nobody says whether a person may stay, so they may not: there is no UserValidationProvider, and \
                     ALLOW_MISSING_PROVIDERS is false"
                );
                false
            }
            true => true,
            false => tenant.users.contains_key(username),
        }
    }
}

/// The tenant's login script with its limits, where it has one.
pub fn script_of(tenant: &Tenant) -> Option<Script<'_>> {
    let fetch_hosts = tenant.fetch_hosts.as_ref().map(|hosts| Arc::from(hosts.as_slice()));
    tenant.script.clone().map(|source| Script { tenant: &tenant.name, source, fetch_hosts })
}

/// People whose hashes together cost the same for every name: of each cost that is on the list one, and `user` among
/// them. Nearly always that is one hash; where an operator wrote several kinds, the time would tell who is listed.
fn of_every_cost<'a>(users: impl Iterator<Item = &'a User>, user: Option<&'a User>) -> Vec<&'a User> {
    let mut chosen: Vec<&User> = user.into_iter().collect();
    for other in users {
        if chosen.iter().all(|one| cost(&one.password_hash) != cost(&other.password_hash)) {
            chosen.push(other);
        }
    }
    chosen
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

#[cfg(test)]
mod tests {
    use super::*;

    fn user(username: &str, parameters: &str) -> User {
        User {
            username: username.to_owned(),
            password_hash: format!(
                "$argon2id$v=19${parameters}$c2FsdHNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A"
            ),
            subject: None,
            role: "default".to_owned(),
            profile: serde_json::Map::new(),
            scopes: Vec::new(),
        }
    }

    #[test]
    fn every_name_costs_the_same_whoever_is_listed_first() {
        let (cheap, dear) = ("m=8192,t=1,p=1", "m=65536,t=3,p=1");
        let users = [user("ada", cheap), user("bob", dear), user("eve", cheap)];
        let work = |name: &str| {
            let known = users.iter().find(|user| user.username == name);
            let compared = of_every_cost(users.iter(), known);
            assert!(known.is_none_or(|known| compared.iter().any(|one| std::ptr::eq(*one, known))), "{name}");
            let mut costs: Vec<_> = compared.iter().map(|user| cost(&user.password_hash)).collect();
            costs.sort();
            costs
        };
        let all = [Some((8192, 1, 1)), Some((65536, 3, 1))];
        for name in ["ada", "bob", "eve", "nobody", ""] {
            assert_eq!(work(name), all, "{name}");
        }
        assert_eq!(of_every_cost(users[..1].iter(), None).len(), 1);
    }
}
