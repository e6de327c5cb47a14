//! A tenant: what operators declare about one community of people and its applications.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
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
    /// Whether it is served. One that is not keeps its names.
    pub enabled: bool,
}

impl Tenant {
    /// Whether its script says who may sign in, and not its list. The script is searched and not compiled.
    pub fn signs_in_by_script(&self) -> bool {
        self.script.as_deref().is_some_and(|script| script.contains("UserLoginProvider"))
    }

    /// Whether a cookie for `domain` is sent to a host of the tenant.
    pub fn has_host_below(&self, domain: &str) -> bool {
        let page = self.interceptor.domain.as_deref().filter(|_| self.interceptor.enabled).map(bare_host);
        self.hosts.iter().cloned().chain(page.map(HostPattern)).any(|host| host.is_below(domain))
    }
}

/// RFC 1035 §2.3.4 allows 253; what is encoded may have been longer.
const LONGEST_HOST: usize = 512;

/// An exact host or one with `*` for one label: lower case, IDNA-encoded, without port, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern(pub String);

impl HostPattern {
    /// Reads a host as operators write it.
    ///
    /// Errors: a sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let written = text.trim().trim_end_matches('.');
        if written.len() > LONGEST_HOST {
            return Err(format!("a host has more than {LONGEST_HOST} characters"));
        }
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
        // Encoding makes dots of some other characters.
        let parsed = parsed.trim_end_matches('.').to_owned();
        if parsed.is_empty() || parsed.contains('*') || parsed.split('.').any(str::is_empty) {
            return Err(format!("host {text:?} is not a host"));
        }
        if !written.contains('*') {
            return Ok(Self(parsed));
        }
        let labels = parsed.split('.').zip(written.split('.'));
        Ok(Self(labels.map(|(label, own)| if own == "*" { "*" } else { label }).collect::<Vec<_>>().join(".")))
    }

    /// Whether everything that `name`, a host or a pattern, means is meant by this pattern, too.
    pub fn includes(&self, name: &str) -> bool {
        let Self(pattern) = self;
        let fits = |(own, label): (&str, &str)| own == "*" || own == label;
        pattern == name
            || (pattern.contains('*')
                && !is_address(name)
                && pattern.split('.').count() == name.split('.').count()
                && pattern.split('.').zip(name.split('.')).all(fits))
    }

    /// Whether a cookie for `domain` is sent to a host that it means (RFC 6265 §5.1.3).
    pub fn is_below(&self, domain: &str) -> bool {
        let Self(pattern) = self;
        let fits = |(own, label): (&str, &str)| own == "*" || own == label;
        pattern == domain
            || (!is_address(pattern)
                && !is_address(domain)
                && pattern.split('.').count() >= domain.split('.').count()
                && pattern.rsplit('.').zip(domain.rsplit('.')).all(fits))
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

/// Whether it is an address, which has no labels.
fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interceptor {
    /// Whether it answers at all.
    pub enabled: bool,
    /// The host of its login page, written like [`HostPattern`], perhaps with a port.
    pub domain: Option<String>,
    /// The domain of its cookie, without a dot in front; of an enabled one that names none, the host of the login page.
    pub cookie: Option<String>,
    /// Whether it may have login page and cookie domain in common with others that say so, too.
    pub shared: bool,
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
