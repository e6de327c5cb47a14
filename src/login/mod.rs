//! Logging in: what a person offers, who the tenant says that person is, and the ways to ask.

use std::fmt;

use zeroize::Zeroizing;

mod attempt_count;
pub mod attempts;
pub mod client_secret;
mod ledger;
pub mod network;
pub mod password;
pub mod people;
pub mod script;
pub mod spelling;
pub mod throttle;

pub use ledger::Ledger;

/// What a person typed in, and which way led to the question.
#[derive(Clone)]
pub struct Credentials {
    /// The name as typed.
    pub username: String,
    /// The password as typed; wiped from memory when dropped.
    pub password: Zeroizing<String>,
    /// `authorization_code`, `interceptor`, `password` or `device_code`.
    pub grant_type: &'static str,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &"***")
            .field("grant_type", &self.grant_type)
            .finish()
    }
}

/// The role of everybody for whom the tenant names none.
pub const DEFAULT_ROLE: &str = "default";
