//! When and how somebody authenticated: OIDC Core §2, RFC 8176.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// The supported `acr` values (OIDC Core §2). A password is level 1, which also satisfies level 0.
/// Whether a session reached the level that a client asks for is not compared: a password reaches all of them.
pub const LEVELS: [&str; 2] = ["0", PASSWORD];

/// The `acr` of a password.
pub const PASSWORD: &str = "1";

/// One authentication. Stored flat, as members of the record that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// When credentials were entered.
    #[serde(rename = "auth_time")]
    pub time: Timestamp,
    /// Its `acr`. Sessions of earlier versions have none; they all used the password.
    #[serde(default = "password_acr")]
    pub acr: String,
    /// Its methods (`amr`).
    #[serde(default = "password_amr")]
    pub amr: Vec<String>,
}

impl Authentication {
    /// A password was entered at `time`.
    pub fn by_password(time: Timestamp) -> Self {
        Self { time, acr: password_acr(), amr: password_amr() }
    }

    /// The same, with the `acr` that the client asked for.
    pub fn called(&self, acr: &str) -> Self {
        Self { acr: acr.to_owned(), ..self.clone() }
    }
}

fn password_acr() -> String {
    PASSWORD.to_owned()
}

fn password_amr() -> Vec<String> {
    vec!["pwd".to_owned()]
}
