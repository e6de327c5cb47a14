//! Logging in: what a person offers, who the tenant says that person is, and the ways to ask.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

mod attempt_count;
pub mod attempts;
pub mod consent;
pub mod delivery;
pub mod interaction;
pub mod participant;
pub mod password;
pub mod provider;
pub mod script;
pub mod session;
pub mod throttle;

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

/// A person who may log in, as the tenant describes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The `sub` of all tokens (OpenID Connect Core §2): 1 to 255 printable ASCII characters.
    pub subject: String,
    /// The name as typed at the login.
    pub username: String,
    /// The claim `role`.
    pub role: String,
    /// Scopes that the tenant wants to add; the client decides which of them it lets through.
    pub scopes: Vec<String>,
    /// The claim `profile`.
    pub profile: serde_json::Map<String, serde_json::Value>,
}

impl Identity {
    /// How to call the person on a page: by name, otherwise by what they typed.
    pub fn display_name(&self) -> &str {
        self.profile
            .get("name")
            .and_then(serde_json::Value::as_str)
            .filter(|name| !name.is_empty())
            .unwrap_or(&self.username)
    }
}

/// The role of everybody for whom the tenant names none.
pub const DEFAULT_ROLE: &str = "default";
