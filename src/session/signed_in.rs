//! A person who is signed in, as a request shows them.

use serde::{Deserialize, Serialize};

use super::{Authentication, Identity, Session};

/// A living session and the value of its cookie, which only its own browser knows.
pub struct SignedIn {
    /// The value of the cookie, for [`Session::require`].
    pub cookie: String,
    /// The session.
    pub session: Session,
}

/// The person behind a grant, as of the sign-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// Who they are.
    pub identity: Identity,
    /// When and how they authenticated.
    #[serde(flatten)]
    pub authentication: Authentication,
    /// The session of the grant, if there was one.
    pub sid: Option<String>,
}

impl SignedIn {
    /// The person, with the `acr` that the client asked for.
    pub fn person(&self, acr: &str) -> Person {
        Person {
            identity: self.session.identity.clone(),
            authentication: self.session.authentication.called(acr),
            sid: Some(self.session.sid.clone()),
        }
    }
}
