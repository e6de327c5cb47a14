//! A tenant's people: who may sign in, and who may stay. The sources are asked in order, until one decides.

use anyhow::Result;

use super::Credentials;
use super::password::PasswordChecker;
use super::script::{ScriptLimits, ScriptPool};
use crate::registry::tenant::Tenant;
use crate::session::Identity;

mod listed;
mod scripted;
mod source;

use listed::Listed;
use scripted::Scripted;
pub use scripted::script_of;
use source::{People, Reply};

/// Who may sign in, and who may stay. Cheap to clone.
#[derive(Clone)]
pub struct LoginProvider {
    scripted: Scripted,
    listed: Listed,
    /// Whether a person may stay of whom no source can say so.
    allow_missing_providers: bool,
}

impl LoginProvider {
    /// A provider whose scripts run under `limits`.
    pub fn new(limits: ScriptLimits, allow_missing_providers: bool) -> Self {
        let (scripted, listed) = (Scripted(ScriptPool::new(limits)), Listed(PasswordChecker::new()));
        Self { scripted, listed, allow_missing_providers }
    }

    /// The person whose credentials these are; `None`: nobody, without saying why.
    ///
    /// Errors: [`Unavailable`](crate::protocol::error::Unavailable) when nobody could be asked: that is not a no, and
    /// must not count as a wrong password.
    pub async fn login(&self, tenant: &Tenant, credentials: Credentials) -> Result<Option<Identity>> {
        for people in self.sources() {
            match people.login(tenant, &credentials).await? {
                Reply::Yes(identity) => return Ok(Some(identity)),
                Reply::No => return Ok(None),
                Reply::Undecided => {}
            }
        }
        Ok(None)
    }

    /// Whether a person who signed in before may stay; asked at each refresh. Of those of whom no source can say so, the
    /// setting decides.
    ///
    /// Errors: [`Unavailable`](crate::protocol::error::Unavailable) when nobody could be asked: that is not a no, and a
    /// client may try again.
    pub async fn may_stay(&self, tenant: &Tenant, username: &str) -> Result<bool> {
        for people in self.sources() {
            match people.may_stay(tenant, username).await? {
                Reply::Yes(()) => return Ok(true),
                Reply::No => return Ok(false),
                Reply::Undecided => {}
            }
        }
        if !self.allow_missing_providers {
            tracing::warn!(
                tenant = &*tenant.name,
                "nobody says whether a person may stay, so they may not: there is no UserValidationProvider, and \
                 ALLOW_MISSING_PROVIDERS is false"
            );
        }
        Ok(self.allow_missing_providers)
    }

    /// Where passwords and secrets are compared, no more at once than the machine has cores.
    pub fn passwords(&self) -> &PasswordChecker {
        &self.listed.0
    }

    fn sources(&self) -> [&dyn People; 2] {
        [&self.scripted, &self.listed]
    }
}
