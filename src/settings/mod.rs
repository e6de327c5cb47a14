//! What the process is told: defaults, then a file, then the environment, then flags; read once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::protocol::jwk::Algorithm;
use crate::registry::{Problem, Severity, Snapshot};

mod environment;
mod parts;
pub mod report;
mod resolve;
pub mod secret;
mod written;

pub use environment::variables;
use secret::Secret;
pub use written::{KeyScope, Kubernetes, Log, LogFormat, LogLevel, Redis, Sentinel, Written};

/// Everything the process is told, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Address of the HTTP server.
    pub listen: SocketAddr,
    /// Address of metrics and health, where they are not on [`Settings::listen`].
    pub metrics_listen: Option<SocketAddr>,
    /// The certificate with which the binary terminates TLS itself.
    pub tls: Option<Tls>,
    /// `ENVIRONMENT=production`: no demo, no defaults that are only good enough for a desk.
    pub production: bool,
    /// Host, perhaps with a port, where no tenant names one.
    pub public_domain: String,
    /// Whether generated URLs are https and cookies Secure.
    pub secure: bool,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Cookie domains by host; see [`Settings::cookie_domain`].
    pub cookie_domains: BTreeMap<String, String>,
    /// Base of `Resources/Configurations`, `Resources/Views` and `Resources/Translations`.
    pub directory: PathBuf,
    /// Whether tenants and clients are also read from Kubernetes.
    pub kubernetes: Kubernetes,
    /// How long a login script may take.
    pub script_timeout: Duration,
    /// Whether a user whom no `UserValidationProvider` vouches for may stay.
    pub allow_missing_providers: bool,
    /// Whether `/versions` answers.
    pub display_version: bool,
    /// What is logged and how.
    pub log: Log,
    /// Whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where state lives.
    pub store: Store,
    /// How tokens are signed.
    pub signing: Signing,
}

/// Certificate and key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after what they are")]
pub struct Tls {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// How long things live, where a client does not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Access and ID tokens.
    pub access_token: Duration,
    /// Refresh tokens, from their last use.
    pub refresh_token: Duration,
    /// Refresh tokens of one sign-in, from its beginning.
    pub refresh_absolute: Option<Duration>,
    /// The single sign-on session.
    pub session: Duration,
}

/// Redis if it is there, otherwise the file, otherwise memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The file of the embedded store.
    pub path: Option<PathBuf>,
    /// The shared store.
    pub redis: Option<Redis>,
}

/// How tokens are signed and keys are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// Of access tokens, for tenants that name none.
    pub algorithm: Algorithm,
    /// Whether [`Signing::algorithm`] was asked for, or follows from the secret.
    pub algorithm_is_named: bool,
    /// How long a key signs.
    pub rotate_every: Duration,
    /// How long a key is published before it signs.
    pub announce: Duration,
    /// How long a key is published after it signed.
    pub grace: Duration,
    /// How long the world may cache the JWKS.
    pub jwks_max_age: Duration,
    /// One set of keys per tenant or for all.
    pub scope: KeyScope,
    /// Size of new RSA keys.
    pub rsa_bits: u32,
    /// The secret of HS256.
    pub hs256_secret: Option<Secret>,
    /// What private keys are sealed with: the first seals, all open.
    pub seal_secrets: Vec<Secret>,
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--directory`
    pub directory: Option<PathBuf>,
    /// `--store-path`
    pub store_path: Option<PathBuf>,
}

/// What kind of installation it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "named after what they are")]
pub enum Environment {
    #[default]
    Development,
    Production,
}

impl Settings {
    /// Reads everything: defaults, `config_file`, `environment` (a variable's name to its value), `flags`.
    ///
    /// Errors: one sentence per line, each naming the key or variable and what is expected.
    pub fn load(
        config_file: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
        flags: &Flags,
    ) -> Result<Self> {
        let mut written = match config_file {
            None => Written::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
                Written::parse(&text).with_context(|| format!("in the configuration file {}", path.display()))?
            }
        };
        environment::overlay(&mut written, environment)?;
        written.listen = flags.listen.or(written.listen);
        written.directory = flags.directory.clone().unwrap_or(written.directory);
        written.store.path = flags.store_path.clone().or(written.store.path);
        let settings = written.resolve()?;
        settings.check()?;
        Ok(settings)
    }

    /// What can be wrong although each setting is well-formed.
    fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        if self.production && self.store.path.is_none() && self.store.redis.is_none() {
            wrong.push(
                "ENVIRONMENT is production, but nothing says where state is kept: set STORE_PATH to a file on a lasting \
                 volume (store.path in the configuration file), or REDIS_HOST to a Redis server"
                    .to_owned(),
            );
        }
        match &self.signing.hs256_secret {
            Some(secret) if secret.expose().len() < 32 => wrong.push(format!(
                "JWT_SECRET has {} bytes; HS256 needs at least 32 (RFC 7518 §3.2): make one with `openssl rand -base64 48`",
                secret.expose().len()
            )),
            None if self.signing.algorithm == Algorithm::HS256 => wrong.push(
                "JWT_ALGORITHM is HS256, but JWT_SECRET is missing: set it to at least 32 bytes, the same for all \
                 replicas, or use JWT_ALGORITHM=RS256"
                    .to_owned(),
            ),
            _ => {}
        }
        if !matches!(self.signing.rsa_bits, 2048 | 3072 | 4096) {
            wrong.push(format!("signing.rsa_bits is {}; write 2048, 3072 or 4096", self.signing.rsa_bits));
        }
        if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
    }

    /// In production, somebody must be served.
    ///
    /// Errors: a sentence that says what to write where.
    pub fn check_tenants(&self, snapshot: &Snapshot) -> Result<()> {
        ensure!(
            !self.production || snapshot.tenant_count() > 0 || self.kubernetes.enabled,
            "ENVIRONMENT is production, but there is no tenant: write one to {} (docs and examples: config.example.yaml), \
             or point DIRECTORY at the folder that has Resources/Configurations",
            self.directory.join("Resources/Configurations/Tenants/<name>.yaml").display()
        );
        Ok(())
    }

    /// Where tenants ask for what the settings do not give.
    pub fn conflicts(&self, snapshot: &Snapshot) -> Vec<Problem> {
        let without_secret = snapshot
            .tenants()
            .filter(|tenant| tenant.algorithm == Some(Algorithm::HS256) && self.signing.hs256_secret.is_none());
        without_secret
            .map(|tenant| Problem {
                severity: Severity::Error,
                source: "settings".into(),
                entity: format!("tenant {}", tenant.name),
                message: "jwt_algorithm is HS256, but JWT_SECRET is missing; set it to at least 32 bytes, or write \
                          jwt_algorithm: RS256"
                    .into(),
            })
            .collect()
    }

    /// What an operator should read at start, besides problems.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.signing.hs256_secret.is_some() && !self.signing.algorithm_is_named {
            notices.push(
                "JWT_SECRET is set and JWT_ALGORITHM is not: access tokens go on being signed with HS256. To move, let \
                 the resource servers verify with /.well-known/jwks.json, then set JWT_ALGORITHM=RS256; tokens of both \
                 kinds are accepted meanwhile, and the way back is the same setting"
                    .into(),
            );
        }
        if self.signing.seal_secrets.is_empty() && self.signing.hs256_secret.is_none() {
            notices.push("SIGNING_KEY_SECRET is not set: private keys lie unsealed in the store".into());
        }
        if self.store.path.is_none() && self.store.redis.is_none() {
            notices.push("neither STORE_PATH nor Redis is set: sessions, tokens and keys end with the process".into());
        }
        if self.store.path.is_some() && self.store.redis.is_some() {
            notices.push("STORE_PATH has no effect, because Redis is set".into());
        }
        if self.production && !self.secure {
            notices.push("SECURE is false in production: cookies and URLs are for plain http".into());
        }
        notices
    }

    /// Scheme and domain under which browsers reach the server where no tenant says otherwise.
    pub fn public_origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.public_domain)
    }

    /// The scheme of generated URLs.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// The domain for the cookies of `host`, with its leading dot if it is for hosts below it too.
    pub fn cookie_domain(&self, host: &str) -> Option<&str> {
        self.cookie_domains.get(&crate::registry::tenant::bare_host(host)).map(String::as_str)
    }
}
