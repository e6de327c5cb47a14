//! When and how somebody authenticated: OIDC Core §2, RFC 8176.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What an authentication may be called (`acr`, OIDC Core §2). A password is level 1, which meets a wish for level 0.
pub const LEVELS: [&str; 2] = ["0", PASSWORD];

const PASSWORD: &str = "1";

/// One authentication. It is stored flat, as members of the record that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// When credentials were entered.
    #[serde(rename = "auth_time")]
    pub time: Timestamp,
    /// How strong it was. Sessions of earlier versions do not say; there was nothing but the password.
    #[serde(default = "password_acr")]
    pub acr: String,
    /// By which means.
    #[serde(default = "password_amr")]
    pub amr: Vec<String>,
}

impl Authentication {
    /// A password was entered at `time`.
    pub fn by_password(time: Timestamp) -> Self {
        Self { time, acr: password_acr(), amr: password_amr() }
    }

    /// The same, called by the name that the client wants to read.
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
