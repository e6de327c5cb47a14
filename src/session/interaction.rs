//! What a login interrupts, what a person proves for it, and the form in which the version before stores both: bound to
//! one browser, resumed once. The form can go once that version does; see [`super::step`] for the present one.

use serde::{Deserialize, Serialize};

use super::Session;
use crate::protocol::authorization::{AuthorizationRequest, ResponseMode};
use crate::protocol::redirect_uri::is_native;
use crate::store::Record;

/// A stored step of a person. Only the browser that began it may go on with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interaction {
    /// The value of the browser's own cookie, so that nobody can finish another person's step.
    pub browser: String,
    /// Where to continue.
    pub resume: Resume,
    /// What the person has proved on our pages for it.
    #[serde(flatten)]
    pub proofs: Proofs,
    /// The `ui_locales` of the request that began the step, if no authorization request carries them.
    #[serde(default)]
    pub ui_locales: Option<String>,
}

/// What a person has proved for a pending step. Each proof names the `sid` of its session, so that it does not count
/// for another session that the browser swaps in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Proofs {
    /// Credentials were entered, which is what `prompt=login` asks for.
    #[serde(default)]
    pub signed_in: Option<String>,
    /// The person gave consent.
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

impl Record for Interaction {
    const KIND: &'static str = "interaction";
}

/// Where a person continues after a page. Whatever of it leads somewhere was checked before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// Back to `/authorize`.
    Authorize(Box<PendingAuthorization>),
    /// To the index page.
    Home,
    /// To a page of an application behind a proxy.
    Location(String),
    /// Back to `/activate`: RFC 8628 §3.3.
    Activate {
        /// The code in `verification_uri_complete`.
        user_code: Option<String>,
    },
    /// Back to `/logout`, once the person has confirmed.
    Logout {
        /// The post-logout redirect URI.
        post_logout_redirect_uri: Option<String>,
        /// Returned to the client.
        state: Option<String>,
    },
}

impl Resume {
    /// Whether it can matter later what a person proves on our pages for it; otherwise their session and their remembered
    /// consent say all. `silent_login`: the tenant asks for no password where somebody is signed in; `confirm_native`:
    /// native clients are confirmed.
    pub fn counts_proofs(&self, silent_login: bool, confirm_native: bool) -> bool {
        match self {
            Self::Authorize(pending) => {
                let is_confirmed = confirm_native && is_native(&pending.redirect_uri);
                !silent_login || is_confirmed || pending.request.counts_proofs()
            }
            Self::Activate { .. } => !silent_login,
            Self::Home | Self::Location(_) | Self::Logout { .. } => false,
        }
    }

    /// The `grant_type` that a login script sees.
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
    /// The client.
    pub client_id: String,
    /// The redirect URI.
    pub redirect_uri: String,
    /// The `state`, returned unchanged.
    pub state: Option<String>,
    /// How the response is sent.
    pub response_mode: ResponseMode,
    /// The rest.
    pub request: AuthorizationRequest,
}
