//! What a login interrupted: stored on our side, bound to one browser, resumed once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Session;
use crate::protocol::authorization::{AuthorizationRequest, ResponseMode};
use crate::store::Record;

/// How long a person may take to sign in.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// A pending step of a person. Whoever presents its id must also be the browser it was made for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interaction {
    /// The value of the browser's own cookie, so that one person cannot finish another's step.
    pub browser: String,
    /// Where to go on.
    pub resume: Resume,
    /// What has happened on our pages for it. Kept here, where nobody can edit it.
    #[serde(flatten)]
    pub proofs: Proofs,
    /// The languages that were wished for where the step began, if no authorization request carries them.
    #[serde(default)]
    pub ui_locales: Option<String>,
}

/// What a person has proved for a pending step: each by the `sid` of the session in which it was, as another session that
/// the browser puts in its place has proved nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Proofs {
    /// Credentials were entered, which is what `prompt=login` asks for.
    #[serde(default)]
    pub signed_in: Option<String>,
    /// The person agreed on the consent page.
    #[serde(default)]
    pub consented: Option<String>,
}

impl Proofs {
    /// Whether credentials were entered in `session`.
    pub fn has_signed_in(&self, session: &Session) -> bool {
        self.signed_in.as_ref() == Some(&session.sid)
    }

    /// Whether the person of `session` agreed.
    pub fn has_consented(&self, session: &Session) -> bool {
        self.consented.as_ref() == Some(&session.sid)
    }
}

impl Interaction {
    /// A step that begins, of no browser yet.
    pub fn new(resume: Resume, ui_locales: Option<String>) -> Self {
        Self { browser: String::new(), resume, proofs: Proofs::default(), ui_locales }
    }

    /// The same with what a person has proved by now.
    pub fn with_proofs(self, proofs: Proofs) -> Self {
        Self { proofs, ..self }
    }

    /// The languages that its pages should speak (OIDC Core §3.1.2.1).
    pub fn ui_locales(&self) -> Option<&str> {
        match &self.resume {
            Resume::Authorize(pending) => pending.request.ui_locales.as_deref(),
            _ => self.ui_locales.as_deref(),
        }
    }
}

impl Record for Interaction {
    const KIND: &'static str = "interaction";
}

/// Where a person goes on after a page.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// Back to `/authorize`.
    Authorize(Box<PendingAuthorization>),
    /// To the index page.
    Home,
    /// To a page of an application behind the proxy; checked when it was stored.
    Location(String),
    /// Back to `/activate`: RFC 8628 §3.3.
    Activate {
        /// What `verification_uri_complete` carried.
        user_code: Option<String>,
    },
    /// Back to `/logout`, once the person has confirmed.
    Logout {
        /// Where the client wants the browser to go, already checked.
        post_logout_redirect_uri: Option<String>,
        /// Returned to the client.
        state: Option<String>,
    },
}

impl Resume {
    /// What a login script is told about the way that led to the question.
    pub fn grant_type(&self) -> &'static str {
        match self {
            Self::Activate { .. } => "device_code",
            Self::Location(_) => "interceptor",
            Self::Authorize(_) | Self::Home | Self::Logout { .. } => "authorization_code",
        }
    }
}

/// An authorization request that waits for a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingAuthorization {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// Returned to the client as it came.
    pub state: Option<String>,
    /// How the answer travels.
    pub response_mode: ResponseMode,
    /// The rest.
    pub request: AuthorizationRequest,
}
