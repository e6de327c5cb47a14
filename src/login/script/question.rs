//! What a script is asked.

use super::redactor::Redactor;
use super::{LOGIN_CLASS, VALIDATION_CLASS};
use crate::login::Credentials;

/// What a script is asked.
pub(super) enum Question {
    /// May this person log in?
    Login(Credentials),
    /// May the person of this name stay?
    Validation(String),
}

impl Question {
    /// The class that answers it.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Login(_) => LOGIN_CLASS,
            Self::Validation(_) => VALIDATION_CLASS,
        }
    }

    /// Redacts what the script must not repeat.
    pub(super) fn redactor(&self) -> Redactor {
        match self {
            Self::Login(credentials) => Redactor::new(&credentials.username, &credentials.password),
            Self::Validation(_) => Redactor::none(),
        }
    }
}
