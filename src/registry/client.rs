//! A client: what one application may do at its tenant (RFC 6749 §2).

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::redirect_uri::RedirectUri;
use crate::protocol::scope::ScopePattern;
use crate::protocol::token::GrantType;

/// One client, checked and ready. Never changed by a request.
#[derive(Clone, Debug)]
pub struct Client {
    /// The `client_id`.
    pub ident: Arc<str>,
    /// For people and metrics.
    pub name: String,
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
    /// What a login script may add.
    pub provider_scopes: Vec<ScopePattern>,
    /// If set, `/authorize` must be reached from one of these.
    pub referrers: Vec<RedirectUri>,
    /// PKCE is demanded although it has a secret.
    pub pkce_only: bool,
    /// `plain` challenges are accepted.
    pub allow_plain_pkce: bool,
    /// How it proves who it is; `None`: a public client.
    pub secret: Option<ClientSecret>,
    /// Which way of proving is accepted.
    pub auth_method: AuthMethod,
    /// Life of access and ID tokens, where it differs from the server's.
    pub access_token_lifetime: Option<Duration>,
    /// Life of refresh tokens, where it differs from the server's.
    pub refresh_token_lifetime: Option<Duration>,
    /// Web origins that may call `/token`, `/userinfo` and `/revoke` from a browser.
    pub allowed_origins: Vec<String>,
    /// Whether people are asked before the client gets anything.
    pub consent_required: bool,
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
    /// Public client.
    None,
}

/// A secret as the server keeps it: never in clear. Compared in constant time.
#[derive(Clone)]
pub enum ClientSecret {
    /// SHA-256 of a secret that was declared in clear.
    Digest([u8; 32]),
    /// An argon2id hash that the operator wrote down.
    Argon2(String),
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}
