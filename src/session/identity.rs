//! Who a person is, as the tenant describes them.

use serde::{Deserialize, Serialize};

/// A person who may log in, as the tenant describes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The `sub` of all tokens (OpenID Connect Core §2): 1 to 255 printable ASCII characters.
    pub subject: String,
    /// The user name as typed at the login.
    pub username: String,
    /// The claim `role`.
    pub role: String,
    /// Scopes that the tenant wants to add; the client decides which of them it accepts.
    pub scopes: Vec<String>,
    /// The claim `profile`.
    pub profile: serde_json::Map<String, serde_json::Value>,
    /// Digest of the password hash with which the tenant's list had them at the sign-in; `None` for people whom a script
    /// knows, and in records of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<String>,
}

impl Identity {
    /// The display name: the name, otherwise the user name.
    pub fn display_name(&self) -> &str {
        self.profile
            .get("name")
            .and_then(serde_json::Value::as_str)
            .filter(|name| !name.is_empty())
            .unwrap_or(&self.username)
    }
}
