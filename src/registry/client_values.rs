//! The values of a client, each checked for itself.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::client::{AuthMethod, ClientSecret};
use super::document::Findings;
use super::secrets::{SecretRef, Secrets};
use super::spelling;
use super::written::{List, Text};
use crate::protocol::client_keys::ClientKeys;
use crate::protocol::jwk::Algorithm;
use crate::protocol::redirect_uri::RedirectUri;
use crate::protocol::scope::ScopePattern;
use crate::protocol::token::GrantType;

/// Of one key of a client.
const MOST_PATTERNS: usize = 100;
/// As many are told of; then it is not read on.
const MOST_FAILURES: usize = 20;
/// In characters.
const SHORTEST_SECRET: usize = 32;

/// The ways to write a client's secret down.
pub(super) struct WrittenSecret {
    pub(super) clear: Option<String>,
    pub(super) hash: Option<String>,
    pub(super) named: Option<SecretRef>,
}

impl WrittenSecret {
    pub(super) fn check(self, secrets: &Secrets, findings: &mut Findings) -> Option<ClientSecret> {
        match (self.clear, self.hash, self.named) {
            (Some(clear), None, None) => Some(strong(&clear, findings)),
            (None, Some(hash), None) => ClientSecret::parse_hash(&hash).map_err(|error| findings.error(error)).ok(),
            (None, None, Some(named)) => match secrets.value(&named, named.key().unwrap_or("secret")) {
                Ok(clear) => Some(strong(&clear, findings)),
                Err(error) => {
                    findings.error(error);
                    None
                }
            },
            (None, None, None) => None,
            (Some(_), Some(_), None) => {
                findings.error("secret and secret_hash are both given; keep one of them");
                None
            }
            _ => {
                findings.error("secretRef and a secret are both given; keep one of them");
                None
            }
        }
    }
}

/// Keeps a secret that is known in clear. A hash says nothing about the length.
fn strong(clear: &str, findings: &mut Findings) -> ClientSecret {
    if clear.chars().count() < SHORTEST_SECRET {
        findings.warn(format!(
            "the secret has fewer than {SHORTEST_SECRET} characters, so it can be guessed; make one with `openssl rand \
             -base64 32`"
        ));
    }
    ClientSecret::of(clear)
}

/// What a client has to prove itself with decides where it names no method.
pub(super) fn checked_auth_method(
    named: Option<String>,
    has_secret: bool,
    has_keys: bool,
    findings: &mut Findings,
) -> AuthMethod {
    let method = match named.as_deref() {
        None if has_secret => return AuthMethod::AnySecret,
        None if has_keys => return AuthMethod::PrivateKeyJwt,
        None => return AuthMethod::None,
        Some("client_secret_basic") => AuthMethod::ClientSecretBasic,
        Some("client_secret_post") => AuthMethod::ClientSecretPost,
        Some("none") => AuthMethod::None,
        Some("private_key_jwt") => AuthMethod::PrivateKeyJwt,
        Some("tls_client_auth") => {
            findings.error("token_endpoint_auth_method tls_client_auth is not supported yet");
            return AuthMethod::None;
        }
        Some(other) => {
            let known = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
            let hint = spelling::hint(known, other);
            findings.error(format!("token_endpoint_auth_method {other:?} is not known{hint}"));
            return AuthMethod::None;
        }
    };
    match (method, has_secret) {
        (AuthMethod::None, true) => {
            findings.error("token_endpoint_auth_method is none, but there is a secret; remove one of them");
        }
        (AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost, false) => {
            findings.error("token_endpoint_auth_method needs a secret; write secret or secret_hash");
        }
        (AuthMethod::PrivateKeyJwt, true) => {
            findings.error("token_endpoint_auth_method is private_key_jwt, but there is a secret; remove one of them");
        }
        (AuthMethod::PrivateKeyJwt, false) if !has_keys => {
            findings.error("token_endpoint_auth_method private_key_jwt needs keys; write jwks or jwks_uri");
        }
        _ => {}
    }
    method
}

/// The keys of a client that signs its assertions.
pub(super) fn checked_keys(written: Option<Value>, findings: &mut Findings) -> Option<Arc<ClientKeys>> {
    let written = written.filter(|written| !written.is_null())?;
    let members = written.get("keys").and_then(Value::as_array).into_iter().flatten();
    if members.flat_map(Value::as_object).any(|key| key.contains_key("d") || key.contains_key("k")) {
        findings.error("jwks contains a private or shared key; write only the public key, and generate a new pair");
    }
    match ClientKeys::parse(&written) {
        Ok(keys) if keys.is_empty() => {
            findings.error("jwks has no usable key: RSA of 2048 bits or more, EC P-256 or Ed25519, for signatures");
            None
        }
        Ok(keys) => Some(Arc::new(keys)),
        Err(error) => {
            findings.error(format!("jwks: {error}"));
            None
        }
    }
}

/// A client has no secret that a token could be signed with, so HS256 is none of the choices.
pub(super) fn checked_id_token_algorithm(written: Option<String>, findings: &mut Findings) -> Option<Algorithm> {
    let algorithm = written?.parse::<Algorithm>().ok().filter(|algorithm| algorithm.is_asymmetric());
    if algorithm.is_none() {
        findings.error("id_token_signed_response_alg must be RS256, or PS256, ES256 or EdDSA if the tenant uses it");
    }
    algorithm
}

/// An address that the server calls.
pub(super) fn checked_address(key: &str, written: Option<String>, findings: &mut Findings) -> Option<String> {
    let written = written?;
    match Url::parse(&written) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.fragment().is_none() => {
            if url.scheme() == "http" {
                findings.warn(format!("{key} is plain http, which is only called with ALLOW_PRIVATE_ADDRESSES=true"));
            }
        }
        _ => findings.error(format!("{key} {written:?} must be a URL that begins with https:// and has no fragment")),
    }
    Some(written)
}

pub(super) fn checked_grants(written: Option<List<Text>>, is_public: bool, findings: &mut Findings) -> Vec<GrantType> {
    let written = written.map(List::texts).filter(|names| !names.is_empty());
    let Some(names) = written else { return vec![GrantType::AuthorizationCode, GrantType::RefreshToken] };
    let mut grants = Vec::new();
    for name in names.iter().flat_map(|names| names.split_whitespace()) {
        // `device` is what older files say.
        let grant = if name == "device" { Some(GrantType::DeviceCode) } else { GrantType::parse(name) };
        match grant {
            Some(GrantType::ClientCredentials) if is_public => findings.warn(
                // RFC 6749 §4.4: only confidential clients
                "client_credentials is left out of grant_types, because the client has neither secret nor keys",
            ),
            // RFC 8693 §5
            Some(GrantType::TokenExchange) if is_public => findings
                .warn("token-exchange is left out of grant_types, because the client has neither secret nor keys"),
            Some(grant) if grants.contains(&grant) => {}
            Some(grant) => grants.push(grant),
            None => {
                let hint = spelling::hint(GrantType::ALL.map(GrantType::as_str), name);
                findings.error(format!("grant_types: {name:?} is not a grant type{hint}"));
            }
        }
    }
    grants
}

pub(super) fn checked_uris(key: &str, written: List<Text>, findings: &mut Findings) -> Vec<RedirectUri> {
    let mut uris: Vec<RedirectUri> = Vec::new();
    let (mut patterns, mut failures) = (0, 0);
    for uri in written.texts() {
        let registered = RedirectUri::register(&uri);
        patterns += usize::from(registered.as_ref().is_ok_and(RedirectUri::is_pattern));
        failures += usize::from(registered.is_err());
        if patterns > MOST_PATTERNS || failures > MOST_FAILURES {
            findings
                .error(format!("{key} has more than {MOST_PATTERNS} patterns; write URIs without patterns, or fewer"));
            break;
        }
        match registered {
            Ok(uri) => {
                if let Some(warning) = uri.warning() {
                    findings.warn(format!("{key}: {warning}"));
                }
                uris.push(uri);
            }
            Err(error) => findings.error(format!("{key}: {error}")),
        }
    }
    uris
}

pub(super) fn checked_post_logout(written: List<Text>, findings: &mut Findings) -> Vec<String> {
    let written = written.texts();
    for uri in &written {
        let script = Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "javascript" | "data" | "vbscript"));
        if script || Url::parse(uri).is_err() {
            findings
                .error(format!("post_logout_redirect_urls: {uri:?} must be a complete URL; it is compared exactly"));
        }
    }
    written
}

pub(super) fn checked_origins(
    written: Option<List<Text>>,
    uris: &[RedirectUri],
    findings: &mut Findings,
) -> Vec<String> {
    let mut origins: Vec<String> = match written {
        None => uris.iter().filter_map(RedirectUri::origin).collect(),
        Some(written) => written
            .texts()
            .into_iter()
            .filter_map(|text| {
                let origin = Url::parse(&text).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
                if origin.is_none() {
                    findings.error(format!("allowed_origins: {text:?} must be like https://app.example.com"));
                }
                origin.map(|origin| origin.ascii_serialization())
            })
            .collect(),
    };
    origins.sort_unstable();
    origins.dedup();
    origins
}

pub(super) fn checked_consent(written: Option<String>, findings: &mut Findings) -> bool {
    match written.as_deref() {
        None | Some("implicit") => false,
        Some("required") => true,
        Some(other) => {
            findings.error(format!("consent {other:?} must be implicit or required"));
            true
        }
    }
}

/// No scope and no URI has a space in it, so one line may name several.
pub(super) fn patterns(written: List<Text>) -> Vec<ScopePattern> {
    written.texts().iter().flat_map(|scopes| scopes.split_whitespace()).map(ScopePattern::new).collect()
}
