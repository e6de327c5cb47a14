//! A tenant's login provider, written in JavaScript: one run per question, in a fresh engine of a process of its own, under
//! limits.
//!
//! A script is a classic one that defines `UserLoginProvider` (may this person log in, and who are they?) and possibly
//! `UserValidationProvider` (may they stay?). Every failure of the first means "cannot log in", of the second "nobody can
//! say", and never a hang.

use std::sync::Arc;

mod answer;
mod check;
mod digest;
mod error;
mod limits;
mod pool;
mod question;
mod redactor;
mod wire;
mod worker;

pub use answer::Update;
pub use check::{Classes, check};
pub use error::ScriptError;
pub(crate) use limits::LEAST_MEMORY;
pub use limits::ScriptLimits;
pub use pool::{FetchLimits, ScriptPool};
pub use worker::{WORKER, serve};

/// Bytes that the engine may allocate for one run.
const MEMORY: usize = 16 * 1024 * 1024;
/// Bytes of stack that a script may use.
const STACK: usize = 256 * 1024;
/// Bytes that computations such as argon2 may take besides: all that go on at the same time, and so each.
const MAX_COMPUTATION: u64 = 64 * 1024 * 1024;

/// The class that answers whether a person may log in.
const LOGIN_CLASS: &str = "UserLoginProvider";
/// The class that answers whether a person may stay.
pub const VALIDATION_CLASS: &str = "UserValidationProvider";

/// A tenant's script.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    /// The tenant's name, for log lines.
    pub tenant: &'a str,
    /// The namespace of the tenant, if it lies in one.
    pub namespace: Option<&'a str>,
    /// All providers of the tenant, joined by newlines.
    pub source: Arc<str>,
    /// The hosts that `fetch` may talk to (`host`, `host:port`, `*.parent` for one label more); `None` allows all.
    pub fetch_hosts: Option<Arc<[String]>>,
}
