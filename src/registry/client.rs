//! A client: what one application may do at its tenant (RFC 6749 §2).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use aws_lc_rs::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

use crate::protocol::client_keys::ClientKeys;
use crate::protocol::jwk::Algorithm;
use crate::protocol::redirect_uri::RedirectUri;
use crate::protocol::scope::ScopePattern;
use crate::protocol::token::GrantType;

/// One client, checked and ready. Never changed by a request.
#[derive(Clone, Debug)]
pub struct Client {
    /// The `client_id`.
    pub ident: Arc<str>,
    /// For people and metrics; `<namespace>/<name>` for a Kubernetes resource.
    pub name: String,
    /// Where the resource lives; `None` for a document without one.
    pub namespace: Option<String>,
    /// Its tenant's full name.
    pub tenant: Arc<str>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a browser may go after signing out, compared exactly.
    pub post_logout_redirect_uris: Vec<String>,
    /// What it may ask `/token` for.
    pub grant_types: Vec<GrantType>,
    /// What it may ask for.
    pub scopes: Vec<ScopePattern>,
    /// For which resources (RFC 8707) and audiences (RFC 8693) it may have tokens, in addition to itself.
    pub resources: Vec<ScopePattern>,
    /// The tokens that it may exchange in addition to its own: those whose `aud` is one of these.
    pub accepted_audiences: Vec<ScopePattern>,
    /// What a login script may add.
    pub provider_scopes: Vec<ScopePattern>,
    /// If set, `/authorize` must be reached from one of these.
    pub referrers: Vec<RedirectUri>,
    /// PKCE is demanded although it has a secret.
    pub pkce_only: bool,
    /// `plain` challenges are accepted.
    pub allow_plain_pkce: bool,
    /// The secret that it proves itself with, where it has one.
    pub secret: Option<ClientSecret>,
    /// Which way of proving is accepted.
    pub auth_method: AuthMethod,
    /// How its ID tokens are signed, where it differs from the tenant's: `id_token_signed_response_alg`.
    pub id_token_algorithm: Option<Algorithm>,
    /// Life of access and ID tokens, where it differs from the server's.
    pub access_token_lifetime: Option<Duration>,
    /// Life of refresh tokens, where it differs from the server's.
    pub refresh_token_lifetime: Option<Duration>,
    /// Web origins that may call `/token`, `/userinfo` and `/revoke` from a browser.
    pub allowed_origins: Vec<String>,
    /// Whether people are asked before the client gets anything.
    pub consent_required: bool,
    /// Public keys of a client that signs its own assertions.
    pub jwks: Option<Arc<ClientKeys>>,
    /// Where those keys are fetched from.
    pub jwks_uri: Option<String>,
    /// Requests must be pushed first (RFC 9126 §6).
    pub require_pushed_authorization_requests: bool,
    /// Access tokens are bound to a key of the client (RFC 9449 §5.2).
    pub dpop_bound_access_tokens: bool,
    /// Where the client hears that a person signed out (OIDC Back-Channel Logout §2.2).
    pub backchannel_logout_uri: Option<String>,
    /// Whether it needs `sid` for that.
    pub backchannel_logout_session_required: bool,
    /// How devices without a browser sign in.
    pub device_grant: DeviceGrant,
    /// Whether it is served. One that is not keeps its `client_id`.
    pub enabled: bool,
}

impl Client {
    /// Whether `/token` takes `grant` from it.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether it lists a scope.
    pub fn lists_scope(&self, token: &str) -> bool {
        self.scopes.iter().any(|pattern| pattern.matches(token))
    }

    /// Whether it may have tokens for this resource (RFC 8707 §2): itself, and what it lists.
    pub fn may_target(&self, target: &str) -> bool {
        target == &*self.ident || self.resources.iter().any(|pattern| pattern.matches(target))
    }

    /// Whether it cannot prove who it is (RFC 6749 §2.1).
    pub fn is_public(&self) -> bool {
        self.auth_method == AuthMethod::None
    }

    /// Whether it must send a code challenge: always when it is public (RFC 9700 §2.1.1).
    pub fn needs_pkce(&self) -> bool {
        self.pkce_only || self.is_public()
    }
}

/// RFC 8628 §3.2, per client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceGrant {
    /// Life of device and user code.
    pub expires_in: Duration,
    /// How long a device waits between two questions.
    pub interval: Duration,
    /// The page that people are sent to, where it is not the server's own.
    pub verification_uri: Option<String>,
}

impl Default for DeviceGrant {
    fn default() -> Self {
        Self { expires_in: Duration::from_secs(1800), interval: Duration::from_secs(5), verification_uri: None }
    }
}

/// How a client proves who it is: OIDC Core §9, RFC 8705.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// Basic or post, as the client likes: what a client with a secret gets that names no method.
    AnySecret,
    /// HTTP Basic only.
    ClientSecretBasic,
    /// In the form only.
    ClientSecretPost,
    /// A signature with a key of its own: RFC 7523.
    PrivateKeyJwt,
    /// Public client.
    None,
}

impl AuthMethod {
    /// Whether a client that is registered with this method may use `used`.
    pub fn accepts(self, used: AuthMethod) -> bool {
        let any = matches!(used, Self::ClientSecretBasic | Self::ClientSecretPost);
        self == used || (self == Self::AnySecret && any)
    }
}

/// A secret as the server keeps it: never in clear. Compared in constant time.
#[derive(Clone)]
pub enum ClientSecret {
    /// SHA-256 of a secret that was declared in clear.
    Digest([u8; 32]),
    /// An argon2id hash that the operator wrote down.
    Argon2(String),
}

impl ClientSecret {
    /// Keeps a secret that was declared in clear.
    pub fn of(clear: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, clear.as_bytes()).as_ref());
        Self::Digest(bytes)
    }

    /// Reads `secret_hash`: argon2id in the PHC string format, or `sha256:` and 64 hexadecimal digits.
    ///
    /// Errors: a sentence that says what is expected.
    pub fn parse_hash(text: &str) -> Result<Self, String> {
        if let Some(hex) = text.strip_prefix("sha256:") {
            return decode_digest(hex).map(Self::Digest).ok_or_else(|| {
                "secret_hash: after sha256: come 64 hexadecimal digits, as sha256sum prints them".to_owned()
            });
        }
        check_argon2id(text).map_err(|error| format!("secret_hash {error}, or sha256: and 64 hexadecimal digits"))?;
        Ok(Self::Argon2(text.to_owned()))
    }

    /// Whether `presented` is the secret. Where [`ClientSecret::is_slow`] says so, call it from a blocking thread.
    pub fn verify(&self, presented: &str) -> bool {
        match self {
            Self::Digest(expected) => digest(&SHA256, presented.as_bytes()).as_ref().ct_eq(expected).into(),
            Self::Argon2(hash) => PasswordHash::new(hash)
                .is_ok_and(|hash| Argon2::default().verify_password(presented.as_bytes(), &hash).is_ok()),
        }
    }

    /// Whether a comparison takes tens of milliseconds of computing, as argon2 is meant to.
    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Argon2(_))
    }
}

/// Most memory of one computation: 1 GiB, in KiB.
const MAX_MEMORY: u32 = 1 << 20;
/// Most work of one computation: memory in KiB times passes, a few seconds on one core.
const MAX_WORK: u64 = 1 << 22;

/// Whether a computation with these parameters may be asked for by anybody who knows a name.
pub fn is_affordable(params: &argon2::Params) -> bool {
    params.m_cost() <= MAX_MEMORY && u64::from(params.m_cost()) * u64::from(params.t_cost()) <= MAX_WORK
}

fn decode_digest(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Whether `hash` is an argon2id hash in the PHC string format, complete and with usable parameters.
///
/// Errors: the end of a sentence; never the hash.
pub fn check_argon2id(hash: &str) -> Result<(), String> {
    let usable = PasswordHash::new(hash).is_ok_and(|phc| {
        phc.algorithm.as_str() == "argon2id"
            && phc.hash.is_some()
            && phc.salt.is_some()
            && argon2::Params::try_from(&phc).is_ok_and(|params| is_affordable(&params))
    });
    if usable { Ok(()) } else { Err("must be an argon2id hash like $argon2id$v=19$m=19456,t=2,p=1$...$...".into()) }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}
