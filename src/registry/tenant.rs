//! A tenant: what operators declare about one community of people and its applications.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use url::{Host, Url};

use crate::protocol::jwk::Algorithm;

/// One tenant, checked and ready. Never changed by a request.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Unique; `<namespace>/<name>` for a Kubernetes resource. Letters, digits and `-._/` only.
    pub name: Arc<str>,
    /// Where the resource lives; `None` for a document without one.
    pub namespace: Option<String>,
    /// The hosts that lead to it, without ports.
    pub hosts: Vec<HostPattern>,
    /// The ports with which some of the hosts are written: a sign-in may lead to them, besides the usual one.
    pub ports: Vec<u16>,
    /// Fixes `iss` for all hosts.
    pub issuer: Option<Url>,
    /// The login script: all providers, joined by newlines.
    pub script: Option<Arc<str>>,
    /// Hosts that the login script may call; `None` allows all.
    pub fetch_hosts: Option<Vec<String>>,
    /// A few fixed people by their usernames, for small installations and demos.
    pub users: BTreeMap<String, User>,
    /// Forward-auth.
    pub interceptor: Interceptor,
    /// Links in the footer of every page.
    pub informations: Informations,
    /// How its pages look.
    pub look: LookSettings,
    /// Where the tenant's own pages lie.
    pub templates: Option<Templates>,
    /// Whether a living session makes the login page unnecessary.
    pub silent_login: bool,
    /// How access tokens are signed, where it differs from the server's setting.
    pub algorithm: Option<Algorithm>,
    /// Where the key policy differs from the server's setting.
    pub signing: SigningOverrides,
    /// Which other namespaces may attach clients.
    pub allowed_client_namespaces: Vec<String>,
}

impl Tenant {
    /// Whether its script says who may sign in, and not its list. The script is searched and not compiled.
    pub fn signs_in_by_script(&self) -> bool {
        self.script.as_deref().is_some_and(|script| script.contains("UserLoginProvider"))
    }
}

/// An exact host or one with `*` for one label: lower case, IDNA-encoded, without port, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern(pub String);

impl HostPattern {
    /// Reads a host as operators write it.
    ///
    /// Errors: a sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let written = text.trim().trim_end_matches('.');
        if written.contains("://") || written.contains(['/', '%', '@', '?', '#']) {
            return Err(format!("host {text:?} must be a host alone, without scheme and path, like login.example.com"));
        }
        if written.parse::<Ipv6Addr>().is_ok() {
            return Self::parse(&format!("[{written}]"));
        }
        if written.split('.').any(|label| label.contains('*') && label != "*") {
            return Err(format!("host {text:?}: a * stands for one whole label, as in *.example.com"));
        }
        // Checked and encoded as if the star were a label like any other.
        let parsed = Host::parse(&written.replace('*', "star"))
            .map_err(|error| format!("host {text:?} is not a host: {error}"))?
            .to_string();
        let labels = parsed.split('.').zip(written.split('.'));
        if !written.contains('*') {
            return Ok(Self(parsed));
        }
        Ok(Self(labels.map(|(label, own)| if own == "*" { "*" } else { label }).collect::<Vec<_>>().join(".")))
    }
}

/// The host of a `Host` header or URL as [`HostPattern`] writes it: lower case, without port and trailing dot.
pub fn bare_host(host: &str) -> String {
    let end = match host.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    host[..end].trim_end_matches('.').to_ascii_lowercase()
}

/// One of a tenant's fixed people.
#[derive(Clone)]
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

impl fmt::Debug for User {
    /// Leaves out the hash of the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("username", &self.username).field("role", &self.role).finish_non_exhaustive()
    }
}

/// How applications behind a proxy are protected.
#[derive(Clone, Debug)]
pub struct Interceptor {
    /// Whether it answers at all.
    pub enabled: bool,
    /// The host of its login page.
    pub domain: Option<String>,
    /// The domain of its cookie; of an enabled one that names none, the host of the login page.
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

/// What a tenant changes about its pages without a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookSettings {
    /// The name above every page.
    pub title: Option<String>,
    /// A picture beside it, with `http` or `https`.
    pub logo_url: Option<Url>,
    /// The colour of the main button, as `#rrggbb`.
    pub accent: Option<String>,
}

/// Amazon's own store, whose hosts follow from the region.
pub const AMAZON: &str = "https://s3.amazonaws.com";

/// A bucket of an S3-compatible store that holds the tenant's own pages.
#[derive(Clone)]
pub struct Templates {
    /// Scheme, host and perhaps port: [`AMAZON`] or another store's.
    pub host: String,
    /// The bucket's name.
    pub bucket: String,
    /// What stands before the names of the pages; empty for nothing.
    pub path: String,
    /// The region for which requests are signed.
    pub region: String,
    /// Both halves of the access key, or neither for a public bucket.
    pub access_key_id: Option<String>,
    /// The secret half.
    pub secret_access_key: Option<String>,
}

impl fmt::Display for Templates {
    /// Where it lies, without the access key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.bucket, self.path)
    }
}

impl fmt::Debug for Templates {
    /// Leaves out both halves of the access key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Templates({self})")
    }
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
