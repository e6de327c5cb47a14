//! The settings as the server uses them: checked, and with every default filled in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::written::{ClaimConflicts, Kubernetes, Log, LoggedAs, Redis};
use crate::issuer::Lifetimes;
use crate::key::SigningSettings;
use crate::login::people::StayPolicy;
use crate::login::throttle::ThrottlePolicy;
use crate::outgoing::backends::Backends;
use crate::registry::tenant::bare_host;
use crate::telemetry::Collectors;

/// All settings, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Address of the HTTP server.
    pub listen: SocketAddr,
    /// Address of metrics and health, where they are not on [`Settings::listen`].
    pub metrics_listen: Option<SocketAddr>,
    /// The certificate with which the binary terminates TLS itself.
    pub tls: Option<Tls>,
    /// `ENVIRONMENT=production`: no demo, and no defaults that suit only a developer's machine.
    pub production: bool,
    /// Host, perhaps with a port, where no tenant names one.
    pub public_domain: String,
    /// Whether generated URLs are https and cookies Secure.
    pub secure: bool,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// How many sessions one person may have; at least one.
    pub sessions_per_person: usize,
    /// Whether a page is shown before a silent answer to a native client (RFC 8252 §8.6).
    pub confirm_native: bool,
    /// Cookie domains by host; see [`Settings::cookie_domain`].
    pub cookie_domains: BTreeMap<String, String>,
    /// Base of `Resources/Configurations`, `Resources/Views` and `Resources/Translations`.
    pub directory: PathBuf,
    /// What becomes of conflicts of names that are older than their register.
    pub claims: ClaimConflicts,
    /// Whether tenants and clients are also read from Kubernetes.
    pub kubernetes: Kubernetes,
    /// Where resources are judged before they are stored.
    pub webhook: Option<Webhook>,
    /// How long a login script may take.
    pub script_timeout: Duration,
    /// Bytes of memory for the login scripts of all tenants, where that is not left to the machine.
    pub script_memory: Option<u64>,
    /// The program that runs login scripts, where it is not this one. No setting: tests are another program.
    pub script_program: Option<PathBuf>,
    /// How often tenants' buckets are read.
    pub templates_refresh: Duration,
    /// Whether a user whom no `UserValidationProvider` vouches for may stay.
    pub allow_missing_providers: bool,
    /// When people who signed in before are asked after.
    pub may_stay: StayPolicy,
    /// Whether `/versions` answers.
    pub display_version: bool,
    /// Whether `/openapi.json` answers.
    pub openapi: bool,
    /// What is logged and how.
    pub log: Log,
    /// How user names that led to no sign-in are logged.
    pub user_names: LoggedAs,
    /// Where traces and logs are also sent.
    pub telemetry: Collectors,
    /// Whether calls to addresses that clients name may reach private ones, and be plain http.
    pub allow_private_addresses: bool,
    /// Which private addresses scripts and buckets of tenants may reach.
    pub backends: Backends,
    /// How guessing passwords is slowed down.
    pub login_protection: ThrottlePolicy,
    /// What connections may cost.
    pub connections: Connections,
    /// Whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the operator said whose they are, even if it is nobody's.
    pub proxies_are_declared: bool,
    /// Where state lives.
    pub store: Store,
    /// How tokens are signed.
    pub signing: SigningSettings,
    /// Whether the algorithm of `signing` was asked for, or follows from the secret.
    pub algorithm_is_named: bool,
}

/// How many connections there may be, and how long they may do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// The most at once; `None`: as many as the system can bear, within reason.
    pub most: Option<usize>,
    /// The most at once from one address that is no trusted proxy; a /64 of IPv6 is one address.
    pub per_address: usize,
    /// Until the first byte, and until TLS is agreed on.
    pub first_byte: Duration,
    /// Between two requests.
    pub idle: Duration,
}

/// Certificate and key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after what they are")]
pub struct Tls {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// The validating webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its address.
    pub listen: SocketAddr,
    /// Its certificate: the API server speaks nothing but TLS.
    pub tls: Tls,
}

/// Redis if it is there, otherwise the file, otherwise memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The file of the embedded store.
    pub path: Option<PathBuf>,
    /// The shared store.
    pub redis: Option<Redis>,
}

impl Settings {
    /// Scheme and domain under which browsers reach the server where no tenant says otherwise.
    pub fn public_origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.public_domain)
    }

    /// The scheme of generated URLs.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Whether a proxy may stand in front of the server of which it was not told: nothing forwarded is believed.
    pub fn proxies_are_unknown(&self) -> bool {
        self.production && !self.proxies_are_declared
    }

    /// The domain for the cookies of `host`, with its leading dot if it is for hosts below it too.
    pub fn cookie_domain(&self, host: &str) -> Option<&str> {
        self.cookie_domains.get(&bare_host(host)).map(String::as_str)
    }
}
