//! What a script is asked.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::redactor::Redactor;
use super::{LOGIN_CLASS, VALIDATION_CLASS};
use crate::login::Credentials;

/// What a script is asked.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Question {
    /// May this person log in?
    Login { username: String, password: Zeroizing<String>, grant_type: String },
    /// May the person of this name stay?
    Validation { username: String },
}

impl Question {
    /// Whether these are the credentials of somebody.
    pub(super) fn login(credentials: Credentials) -> Self {
        let Credentials { username, password, grant_type } = credentials;
        Self::Login { username, password, grant_type: grant_type.to_owned() }
    }

    /// The class that answers it.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Login { .. } => LOGIN_CLASS,
            Self::Validation { .. } => VALIDATION_CLASS,
        }
    }

    /// Redacts what the script must not repeat.
    pub(super) fn redactor(&self) -> Redactor {
        match self {
            Self::Login { username, password, .. } => Redactor::new(username, password),
            Self::Validation { .. } => Redactor::none(),
        }
    }
}
