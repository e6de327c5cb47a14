//! Runs login scripts in processes of their own, many at once, and decides whose turn it is.
//!
//! The engine can stop a script between its own steps, but not inside a built-in function, and native code of a process
//! cannot be stopped at all without ending it. So scripts run in processes of the same program, which do nothing else:
//! one that does not come back is ended, and costs the runs of one tenant.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::answer::{Answer, Update};
use super::error::ScriptError;
use super::question::Question;
use super::wire::Order;
use super::{LOGIN_CLASS, Script, ScriptLimits, VALIDATION_CLASS};
use crate::login::Credentials;
use crate::session::Identity;

mod desks;
mod fetch;
mod floor;
mod job;
mod process;
mod run;
mod shares;
mod standing;

pub use fetch::FetchLimits;

use self::fetch::Exchange;
use self::floor::Floor;
use self::run::{Run, Shared};
use self::shares::Shares;

/// The runs that a tenant always gets while there is room at all.
const FEW_RUNS: usize = 4;
/// The bytes of requests and responses that a tenant always gets while there is room at all.
const FEW_BYTES: usize = 1 << 20;

/// Runs login scripts. Clones share the processes, which end with the last clone.
#[derive(Clone)]
pub struct ScriptPool {
    parts: Arc<Parts>,
}

struct Parts {
    shared: Shared,
    places: Arc<Shares>,
    last_run: AtomicU64,
    /// For tenants of the operator, and for those of others.
    clients: [OnceLock<Result<reqwest::Client, String>>; 2],
}

impl ScriptPool {
    /// A pool with these limits. Processes start with the first scripts.
    pub fn new(limits: ScriptLimits) -> Self {
        let bodies = usize::try_from(limits.bodies_memory()).unwrap_or(usize::MAX);
        let parts = Parts {
            places: Shares::new(limits.max_runs, FEW_RUNS),
            shared: Shared { floor: Floor::new(limits.clone()), bodies: Shares::new(bodies, FEW_BYTES), limits },
            last_run: AtomicU64::default(),
            clients: Default::default(),
        };
        Self { parts: Arc::new(parts) }
    }

    /// Asks the script's `UserLoginProvider` who this person is; `None` if they may not log in.
    ///
    /// # Errors
    /// Why there is no answer; the person cannot log in then either. Never contains the password.
    pub async fn login(&self, script: &Script<'_>, credentials: Credentials) -> Result<Option<Identity>, ScriptError> {
        match self.ask(script, Question::login(credentials)).await? {
            Answer::Login(identity) => Ok(identity),
            _ => Err(ScriptError::MissingClass(LOGIN_CLASS.to_owned())),
        }
    }

    /// Asks the script's `UserValidationProvider` whether the person may stay: what is new about them, or `None` if they
    /// may not.
    ///
    /// # Errors
    /// Why there is no answer, which is not a no; [`ScriptError::MissingClass`] if there is no such class.
    pub async fn validate(&self, script: &Script<'_>, username: &str) -> Result<Option<Update>, ScriptError> {
        match self.ask(script, Question::Validation { username: username.to_owned() }).await? {
            Answer::Validation(update) => Ok(update),
            _ => Err(ScriptError::MissingClass(VALIDATION_CLASS.to_owned())),
        }
    }

    async fn ask(&self, script: &Script<'_>, question: Question) -> Result<Answer, ScriptError> {
        let parts = &*self.parts;
        if let Some(left) = parts.shared.floor.pause(script.tenant) {
            return Err(ScriptError::Paused(left));
        }
        let tenant: Arc<str> = script.tenant.into();
        let _place = parts.places.take(&tenant, 1).ok_or(ScriptError::PoolExhausted)?;
        let id = parts.last_run.fetch_add(1, Ordering::Relaxed);
        let run = Run::new(&parts.shared, id, &tenant, parts.exchange(script), question.redactor());
        let source = Cow::Borrowed(&*script.source);
        run.ask(|run, time| Order::Begin { run, source, question: Cow::Owned(question), time }).await
    }
}

impl Parts {
    fn exchange(&self, script: &Script<'_>) -> Exchange {
        let limits = &self.shared.limits;
        let whose = limits.backends.whose(script.namespace);
        let policy = limits.backends.policy(whose);
        let client = self.clients[whose as usize].get_or_init(|| fetch::client(policy).map_err(|e| e.to_string()));
        let hosts = script.fetch_hosts.clone();
        Exchange { client: client.clone(), policy: policy.clone(), limits: limits.fetch.clone(), hosts }
    }
}
