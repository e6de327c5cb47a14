//! A client as operators write it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use yaml_serde::Value as Yaml;

use super::document::Findings;
use super::known_keys::unknown_keys;
use super::secrets::SecretRef;
use super::written::{Flag, Hours, List, Text};
use crate::protocol::duration::Span;

/// What a client is: one application, and what it may do at its tenant.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct ClientSpec {
    /// The client_id of the application.
    #[serde(alias = "client_id", alias = "clientId")]
    pub(super) ident: Option<Text>,
    /// The full name of the tenant that the client belongs to: namespace/name for a resource.
    #[serde(alias = "tenant", alias = "tenantName", alias = "tenant_name")]
    pub(super) tenantname: Option<Text>,
    /// Where codes may be sent: URLs, or patterns that match a whole URL.
    #[serde(alias = "redirect_uris", alias = "redirect_uri", alias = "redirect_url")]
    #[serde(alias = "redirectUrls", alias = "redirectUris", alias = "redirectUri")]
    pub(super) redirect_urls: List<Text>,
    /// Where a browser may go after signing out, compared exactly.
    #[serde(alias = "post_logout_redirect_uris", alias = "postLogoutRedirectUrls", alias = "postLogoutRedirectUris")]
    pub(super) post_logout_redirect_urls: List<Text>,
    /// What it may ask /token for; authorization_code and refresh_token, where it is left out.
    #[serde(alias = "grantTypes")]
    pub(super) grant_types: Option<List<Text>>,
    /// What it may ask for; * stands for one or more characters.
    pub(super) scopes: List<Text>,
    /// Resources and audiences that it may have tokens for, besides itself; * stands for one or more characters.
    pub(super) resources: List<Text>,
    /// Token exchange: the aud of tokens that it may exchange, besides its own ident.
    #[serde(alias = "acceptedAudiences")]
    pub(super) accepted_audiences: List<Text>,
    /// Scopes that a login script may add.
    #[serde(rename = "allowedProviderScopes", alias = "allowed_provider_scopes")]
    pub(super) allowed_provider_scopes: List<Text>,
    /// If set, /authorize must be reached from one of these.
    pub(super) referrers: List<Text>,
    /// PKCE is demanded although the client has a secret.
    #[serde(rename = "isPkceOnly", alias = "is_pkce_only", alias = "isPKCEOnly", alias = "ispkceonly")]
    pub(super) is_pkce_only: Option<Flag>,
    /// Challenges of the method plain are accepted.
    #[serde(alias = "allowPlainPkce")]
    pub(super) allow_plain_pkce: Option<Flag>,
    /// The secret in clear; better kept in a Secret, see secretRef.
    #[serde(alias = "client_secret")]
    pub(super) secret: Option<Text>,
    /// The secret as argon2id, or as sha256: and 64 hexadecimal digits.
    #[serde(alias = "secretHash")]
    pub(super) secret_hash: Option<Text>,
    /// A Secret of the same namespace with the secret under the key secret, or under the one that is named.
    #[serde(rename = "secretRef", alias = "secret_ref")]
    pub(super) secret_ref: Option<SecretRef>,
    /// How the client proves itself: client_secret_basic, client_secret_post, private_key_jwt or none.
    #[serde(alias = "tokenEndpointAuthMethod")]
    pub(super) token_endpoint_auth_method: Option<Text>,
    /// How its ID tokens are signed, where it differs from the tenant's.
    #[serde(alias = "idTokenSignedResponseAlg")]
    pub(super) id_token_signed_response_alg: Option<Text>,
    /// Public keys of a client that signs its own assertions.
    pub(super) jwks: Option<Value>,
    /// Where those keys are fetched from.
    #[serde(alias = "jwksUri")]
    pub(super) jwks_uri: Option<Text>,
    /// Life of access and ID tokens.
    #[serde(alias = "accessTokenHours")]
    pub(super) access_token_hours: Option<Hours>,
    /// Life of refresh tokens.
    #[serde(alias = "refreshTokenHours")]
    pub(super) refresh_token_hours: Option<Hours>,
    /// Requests must be pushed first.
    #[serde(alias = "requirePushedAuthorizationRequests")]
    pub(super) require_pushed_authorization_requests: Option<Flag>,
    /// Access tokens are bound to a key of the client.
    #[serde(alias = "dpopBoundAccessTokens")]
    pub(super) dpop_bound_access_tokens: Option<Flag>,
    /// A stricter profile, like fapi2.
    pub(super) profile: Option<Text>,
    /// Where the client hears that a person signed out.
    #[serde(alias = "backchannelLogoutUri")]
    pub(super) backchannel_logout_uri: Option<Text>,
    /// Whether it needs sid for that.
    #[serde(alias = "backchannelLogoutSessionRequired")]
    pub(super) backchannel_logout_session_required: Option<Flag>,
    /// Web origins that may call the server from a browser; those of redirect_urls, where it is left out.
    #[serde(alias = "allowedOrigins")]
    pub(super) allowed_origins: Option<List<Text>>,
    /// How devices without a browser sign in.
    #[serde(alias = "deviceGrantConfig")]
    pub(super) device_grant_config: Option<DeviceGrantSpec>,
    /// implicit, or required to ask people first.
    pub(super) consent: Option<Text>,
    /// false: nobody finds it, and its tokens are worth nothing.
    pub(super) enabled: Option<Flag>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct DeviceGrantSpec {
    /// Life of the codes.
    #[serde(alias = "expiresIn")]
    #[schemars(with = "Option<Text>")]
    pub(super) expires_in: Option<Span>,
    /// How long a device waits between two questions.
    #[schemars(with = "Option<Text>")]
    pub(super) interval: Option<Span>,
    /// The page that people are sent to, where it is not the server's own.
    #[serde(alias = "verificationUri")]
    pub(super) verification_uri: Option<Text>,
}

/// Tells of the keys of `config` that nobody knows, each with the place where it stands.
pub(super) fn tell_unknown(config: &Yaml, path: &str, findings: &mut Findings) {
    unknown_keys::<ClientSpec>(Some(config), path, findings);
    for key in ["device_grant_config", "deviceGrantConfig"] {
        unknown_keys::<DeviceGrantSpec>(config.get(key), &format!("{path}.{key}"), findings);
    }
    for key in SecretRef::KEYS {
        unknown_keys::<SecretRef>(config.get(key), &format!("{path}.{key}"), findings);
    }
}
