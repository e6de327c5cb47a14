//! A tenant's people: who may sign in, and who may stay. The sources are asked in order, until one decides.

use anyhow::Result;

use super::Credentials;
use super::password::PasswordChecker;
use super::script::{ScriptLimits, ScriptPool};
use crate::clock::Timestamp;
use crate::registry::tenant::Tenant;
use crate::session::Identity;

mod inquiry;
mod listed;
mod questions;
mod scripted;
mod source;
mod stay_policy;

pub use inquiry::{Inquiry, Verdict};
use listed::Listed;
use questions::Questions;
use scripted::Scripted;
pub use scripted::script_of;
pub use source::OutOfTime;
use source::{Confirmed, People, Reply};
pub use stay_policy::StayPolicy;

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
    pub fn new(limits: ScriptLimits, allow_missing_providers: bool, policy: StayPolicy) -> Self {
        let scripted = Scripted { pool: ScriptPool::new(limits), policy, questions: Questions::none_yet() };
        Self { scripted, listed: Listed(PasswordChecker::new()), allow_missing_providers }
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

    /// Whether a person who signed in before may stay: every source that knows them must agree. Of those of whom none does,
    /// the setting decides.
    ///
    /// Errors: [`Unavailable`](crate::protocol::error::Unavailable) when nobody could be asked, and the last yes is too old
    /// or none: that is not a no, and a client may try again.
    pub async fn may_stay(&self, tenant: &Tenant, inquiry: Inquiry<'_>) -> Result<Verdict> {
        let mut known: Option<Confirmed> = None;
        // The list costs nothing, and what a script says of somebody on it is newer.
        for people in [&self.listed as &dyn People, &self.scripted] {
            let person = known.as_ref().map_or(inquiry.person, |known| &known.person);
            match self.or_last_yes(people.may_stay(tenant, Inquiry { person, ..inquiry }).await, person, inquiry)? {
                Reply::Yes(confirmed) => known = Some(confirmed),
                Reply::No => return Ok(Verdict::Leaves),
                Reply::Undecided => {}
            }
        }
        Ok(match known {
            Some(Confirmed { person, at }) => Verdict::Stays { person: Box::new(person), at },
            None if self.allow_missing_providers => {
                Verdict::Stays { person: Box::new(inquiry.person.clone()), at: inquiry.now }
            }
            None => Verdict::Unsaid,
        })
    }

    /// While nobody answers, the last yes counts.
    fn or_last_yes(
        &self,
        reply: Result<Reply<Confirmed>>,
        person: &Identity,
        inquiry: Inquiry<'_>,
    ) -> Result<Reply<Confirmed>> {
        let counts = |at: &Timestamp| inquiry.now.since(*at) < self.policy().stale;
        match (reply, inquiry.last_yes.filter(counts)) {
            (Err(_), Some(at)) => Ok(Reply::Yes(Confirmed { person: person.clone(), at })),
            (reply, _) => reply,
        }
    }

    /// The person as the tenant's list has them now; as they were, if they were never on it. `None`: they are off the list,
    /// or their password changed. Asks nobody, so it can be looked at whenever a session or token is used.
    pub fn as_listed(tenant: &Tenant, person: Identity) -> Option<Identity> {
        match listed::standing(tenant, &person) {
            Reply::Yes(user) => Some(listed::identity(user)),
            Reply::No => None,
            Reply::Undecided => Some(person),
        }
    }

    /// Whether [`LoginProvider::as_listed`] is `None`.
    pub fn is_off_the_list(tenant: &Tenant, person: &Identity) -> bool {
        matches!(listed::standing(tenant, person), Reply::No)
    }

    /// Whether somebody with this subject is on the tenant's list.
    pub fn lists(tenant: &Tenant, subject: &str) -> bool {
        tenant.users.values().any(|user| listed::subject(user) == subject)
    }

    /// When people are asked after.
    pub fn policy(&self) -> StayPolicy {
        self.scripted.policy
    }

    /// Where passwords and secrets are compared, no more at once than the machine has cores.
    pub fn passwords(&self) -> &PasswordChecker {
        &self.listed.0
    }

    fn sources(&self) -> [&dyn People; 2] {
        [&self.scripted, &self.listed]
    }
}
