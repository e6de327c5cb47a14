//! What each page needs to know. The names of the fields are the names of the templates' variables.

use serde::Serialize;

/// Hidden fields of a form, name and value: what the endpoint expects back, such as its CSRF protection.
pub type Fields<'a> = &'a [(&'a str, &'a str)];

/// A page with its content. It has no `Debug`, because its fields may hold a code or a form's secret.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Page<'a> {
    /// User name and password; posts `username`, `password` and the fields to `/login`.
    Login {
        /// Fills in the user name (`login_hint`, or what was typed before).
        username: Option<&'a str>,
        /// Why the page is shown again.
        error: Option<LoginError>,
        /// Where the person wants to go: the client's name, or a host behind the interceptor.
        client: Option<&'a str>,
        /// Hidden fields.
        fields: Fields<'a>,
    },
    /// May the client have these scopes? Posts `decision` (`allow` or `deny`) and the fields to `action`.
    Consent {
        /// Where the form goes.
        action: &'a str,
        /// The client's name.
        client: &'a str,
        /// What it asks for.
        scopes: &'a [&'a str],
        /// Who is signed in.
        name: Option<&'a str>,
        /// Hidden fields.
        fields: Fields<'a>,
    },
    /// RFC 8628 §3.3: asks for the code of a device; posts `user_code` and the fields to `/activate`.
    Activate {
        /// Fills in the code.
        code: Option<&'a str>,
        /// Why the page is shown again.
        error: Option<ActivateError>,
        /// Hidden fields.
        fields: Fields<'a>,
    },
    /// RFC 8628 §3.3.1: shows code, client and scopes; posts `user_code`, `decision` and the fields to `/activate`.
    ActivateConfirm {
        /// The code, as the device shows it.
        code: &'a str,
        /// The client's name.
        client: &'a str,
        /// What it asks for.
        scopes: &'a [&'a str],
        /// Who is signed in.
        name: Option<&'a str>,
        /// Hidden fields.
        fields: Fields<'a>,
    },
    /// The end of an activation.
    ActivateDone {
        /// Whether the person allowed it.
        allowed: bool,
    },
    /// RP-Initiated Logout §3: nothing left to redirect to.
    SignedOut {},
    /// RP-Initiated Logout §2: asks before it signs out; posts the fields to `/logout`.
    Logout {
        /// Who is signed in.
        name: Option<&'a str>,
        /// Hidden fields.
        fields: Fields<'a>,
    },
    /// Something failed and there is no client to report it to.
    Error {
        /// The protocol's error code, or `not_found`, `too_many_requests`; selects headline and advice.
        code: &'a str,
        /// For the client's developer, in English.
        description: &'a str,
        /// The id of the request in the log.
        request_id: Option<&'a str>,
    },
    /// The front page `/`.
    Index {
        /// Who is signed in in this browser.
        person: Option<Person<'a>>,
        /// Hidden fields of the forms that sign out (`POST /`).
        fields: Fields<'a>,
        /// Where the person is signed in, this browser included; the newest first.
        sessions: &'a [OpenSession<'a>],
        /// The demo, in development only.
        demo: Option<Demo<'a>>,
    },
    /// OAuth 2.0 Form Post Response Mode: sends the answer to the client, by itself or by the button.
    FormPost {
        /// The redirect URI.
        action: &'a str,
        /// The parameters of the answer.
        fields: Fields<'a>,
        /// Fresh for each response; allows the page's one script, and nothing else.
        nonce: &'a str,
    },
}

impl Page<'_> {
    /// The file name of its template.
    pub fn template(&self) -> &'static str {
        match self {
            Self::Login { .. } => "login.html",
            Self::Consent { .. } => "consent.html",
            Self::Activate { .. } => "activate.html",
            Self::ActivateConfirm { .. } => "activate_confirm.html",
            Self::ActivateDone { .. } => "activate_done.html",
            Self::SignedOut {} => "signed_out.html",
            Self::Logout { .. } => "logout.html",
            Self::Error { .. } => "error.html",
            Self::Index { .. } => "index.html",
            Self::FormPost { .. } => "form_post.html",
        }
    }
}

/// Why somebody is asked to sign in again; on the page as `data-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginError {
    /// Unknown user or wrong password: the page does not say which.
    InvalidCredentials,
    /// Throttled.
    TooManyAttempts,
    /// The tenant's login script or its backend gave no answer.
    Unavailable,
    /// The form is too old, or belongs to another browser.
    Expired,
}

/// Why the code of a device is asked for again; on the page as `data-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivateError {
    /// Unknown or no longer valid.
    UnknownCode,
    /// Throttled.
    TooManyAttempts,
    /// The form is too old, or belongs to another browser.
    Expired,
}

/// Who is signed in.
#[derive(Clone, Copy, Serialize)]
pub struct Person<'a> {
    /// The display name.
    pub name: &'a str,
    /// An e-mail address, to tell two accounts apart.
    pub email: Option<&'a str>,
}

/// One of a person's sessions.
#[derive(Clone, Copy, Serialize)]
pub struct OpenSession<'a> {
    /// Its id, to be posted as `session`.
    pub id: &'a str,
    /// When the password was entered: RFC 3339, in UTC.
    pub since: &'a str,
    /// Browser and system, if they are known.
    pub browser: Option<&'a str>,
    /// Whether it is the session of this browser.
    pub this: bool,
}

/// The demo of the index page.
#[derive(Clone, Copy, Serialize)]
pub struct Demo<'a> {
    /// The public client whose redirect URI is this page.
    pub client_id: &'a str,
    /// The demo user, to be typed.
    pub username: &'a str,
    /// The demo user's password, shown on purpose.
    pub password: &'a str,
}
