//! What every source of people answers: a script, a list, later a directory or a provider.

use std::fmt;

use anyhow::Result;
use async_trait::async_trait;

use super::inquiry::Inquiry;
use crate::clock::Timestamp;
use crate::login::Credentials;
use crate::registry::tenant::Tenant;
use crate::session::Identity;

/// The answer of one source.
pub(super) enum Reply<T> {
    Yes(T),
    No,
    /// The source cannot answer this question for this tenant; the next one is asked.
    Undecided,
}

/// A person who may stay, as the source describes them now, and when it said so.
pub(super) struct Confirmed {
    pub(super) person: Identity,
    pub(super) at: Timestamp,
}

/// A source of people. Errors mean that it could not be asked: that is not a no, and must not count as a wrong password.
#[async_trait]
pub(super) trait People: Send + Sync {
    /// Whose credentials these are.
    async fn login(&self, tenant: &Tenant, credentials: &Credentials) -> Result<Reply<Identity>>;

    /// Whether somebody who signed in before may stay, and who they are now.
    async fn may_stay(&self, tenant: &Tenant, inquiry: Inquiry<'_>) -> Result<Reply<Confirmed>>;
}

/// A source was asked and gave no answer within the time that a login may take. What that costs is why it counts as an
/// attempt. Attached as context to the error.
#[derive(Clone, Copy, Debug)]
pub struct OutOfTime;

impl fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer within the time of a login")
    }
}
