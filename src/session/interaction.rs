//! What a login interrupted: stored on our side, bound to one browser, resumed once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// The session (`sid`) in which credentials were entered for this very step, which is what `prompt=login` asks
    /// for. Kept here, where nobody can edit it, and with the session: another one that the browser puts in its place
    /// has not proved anything.
    #[serde(default)]
    pub signed_in: Option<String>,
    /// The session whose person agreed on the consent page to this very request.
    #[serde(default)]
    pub consented: Option<String>,
    /// The languages that were wished for where the step began, if no authorization request carries them.
    #[serde(default)]
    pub ui_locales: Option<String>,
}

impl Interaction {
    /// A step that begins.
    pub fn new(browser: String, resume: Resume, ui_locales: Option<String>) -> Self {
        Self { browser, resume, signed_in: None, consented: None, ui_locales }
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
