//! A tenant's login provider, written in JavaScript: one run per question, in a fresh engine, under limits.
//!
//! A script is a classic one that defines `UserLoginProvider` (may this person log in, and who are they?) and possibly
//! `UserValidationProvider` (may they stay?). Every failure of the first means "cannot log in", of the second "nobody can
//! say", and never a hang.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

mod answer;
mod check;
mod desk;
mod digest;
mod engine;
mod error;
mod fetch;
mod host;
mod parts;
mod places;
mod pool;
mod question;
mod redactor;
mod run;
mod worker;

pub use answer::Update;
pub use check::{Classes, check};
pub use error::ScriptError;
pub use fetch::FetchLimits;
pub use pool::ScriptPool;

/// The class that answers whether a person may log in.
const LOGIN_CLASS: &str = "UserLoginProvider";
/// The class that answers whether a person may stay.
pub const VALIDATION_CLASS: &str = "UserValidationProvider";

/// A tenant's script.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    /// The tenant's name, for log lines.
    pub tenant: &'a str,
    /// All providers of the tenant, joined by newlines.
    pub source: Arc<str>,
    /// The hosts that `fetch` may talk to (`host`, `host:port`, `*.parent` for one label more); `None` allows all.
    pub fetch_hosts: Option<Arc<[String]>>,
}

/// What scripts may cost.
#[derive(Clone, Debug)]
pub struct ScriptLimits {
    /// From the question to the answer (`SCRIPT_TIMEOUT`).
    pub timeout: Duration,
    /// How long a script may compute without waiting for anything. Scripts that wait share a thread with it.
    pub busy: Duration,
    /// Bytes that the engine may allocate for one run.
    pub memory: usize,
    /// Bytes of stack that a script may use.
    pub stack: usize,
    /// Threads that run scripts. Runs that wait for a `fetch` do not occupy one.
    pub threads: usize,
    /// How many stuck threads are replaced; beyond that, scripts wait for them.
    pub max_stuck: usize,
    /// Runs at the same time, waiting ones included; more are refused. One tenant gets at most half of them.
    pub max_runs: usize,
    /// What one `fetch` may cost.
    pub fetch: FetchLimits,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            busy: Duration::from_secs(5),
            memory: 16 * 1024 * 1024,
            stack: 256 * 1024,
            threads: std::thread::available_parallelism().map_or(2, NonZero::get).clamp(2, 16),
            max_stuck: 16,
            max_runs: 1024,
            fetch: FetchLimits::default(),
        }
    }
}

impl ScriptLimits {
    /// After this long in one script, a thread counts as stuck and may be replaced.
    fn patience(&self) -> Duration {
        (self.timeout / 4).min(Duration::from_millis(500))
    }
}
