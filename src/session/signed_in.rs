//! Somebody who is signed in, as a request shows them.

use super::{Authentication, Identity, Session};
use serde::{Deserialize, Serialize};

/// A living session and the value of its cookie, which its own browser alone knows.
pub struct SignedIn {
    /// The value of the cookie: what is given in the session requires it (see [`Session::require`]).
    pub cookie: String,
    /// The session.
    pub session: Session,
}

/// The person behind a grant, as the sign-in left them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// What the login provider said.
    pub identity: Identity,
    /// When and how they authenticated.
    #[serde(flatten)]
    pub authentication: Authentication,
    /// The session in which it was granted, where there was one.
    pub sid: Option<String>,
}

impl SignedIn {
    /// The person, whose authentication a client reads as `acr`.
    pub fn person(&self, acr: &str) -> Person {
        Person {
            identity: self.session.identity.clone(),
            authentication: self.session.authentication.called(acr),
            sid: Some(self.session.sid.clone()),
        }
    }
}
