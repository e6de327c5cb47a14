//! A tenant: what operators declare about one community of people and its applications.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

use crate::protocol::jwk::Algorithm;

/// One tenant, checked and ready. Never changed by a request.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Unique; `<namespace>/<name>` for a Kubernetes resource. Letters, digits and `-._/` only.
    pub name: Arc<str>,
    /// The hosts that lead to it, without ports.
    pub hosts: Vec<HostPattern>,
    /// Fixes `iss` for all hosts.
    pub issuer: Option<Url>,
    /// The login script: all providers, joined by newlines.
    pub script: Option<Arc<str>>,
    /// Hosts that the login script may call; `None` allows all.
    pub fetch_hosts: Option<Vec<String>>,
    /// A few fixed people, for small installations and demos.
    pub users: Vec<User>,
    /// Forward-auth.
    pub interceptor: Interceptor,
    /// Links in the footer of every page.
    pub informations: Informations,
    /// Whether a living session makes the login page unnecessary.
    pub silent_login: bool,
    /// How access tokens are signed, where it differs from the server's setting.
    pub algorithm: Option<Algorithm>,
    /// Where the key policy differs from the server's setting.
    pub signing: SigningOverrides,
    /// Which other namespaces may attach clients.
    pub allowed_client_namespaces: Vec<String>,
}

/// An exact host or one with `*` for one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern(pub String);

/// One of a tenant's fixed people.
#[derive(Clone, Debug)]
pub struct User {
    /// What is typed in.
    pub username: String,
    /// argon2id, in the PHC string format.
    pub password_hash: String,
    /// `sub`; the username where it is left out.
    pub subject: Option<String>,
    /// The claim `role`.
    pub role: String,
    /// Claims about the person.
    pub profile: Map<String, Value>,
    /// Scopes that the sign-in adds.
    pub scopes: Vec<String>,
}

/// How applications behind a proxy are protected.
#[derive(Clone, Debug)]
pub struct Interceptor {
    /// Whether it answers at all.
    pub enabled: bool,
    /// The host of its login page.
    pub domain: Option<String>,
    /// The domain of its cookie.
    pub cookie: Option<String>,
}

/// Links that every page shows.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "named after what they link to")]
pub struct Informations {
    pub imprint_url: Option<String>,
    pub privacy_url: Option<String>,
    pub register_url: Option<String>,
}

/// A tenant's own key policy; what is `None` is the server's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SigningOverrides {
    /// How long a key signs.
    pub rotate_every: Option<Duration>,
    /// How long a key is published before it signs.
    pub announce: Option<Duration>,
    /// How long a key is published after it signed.
    pub grace: Option<Duration>,
}
