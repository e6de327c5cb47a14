//! A client as operators write it, and how it becomes a [`Client`].

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use yaml_serde::Value as Yaml;

use super::client::{AuthMethod, Client, DeviceGrant};
use super::client_check::{
    WrittenSecret, checked_address, checked_auth_method, checked_consent, checked_grants, checked_id_token_algorithm,
    checked_keys, checked_origins, checked_post_logout, checked_uris, patterns,
};
use super::document::{Findings, Title};
use super::known_keys::unknown_keys;
use super::secrets::{SecretRef, Secrets};
use super::tenant_spec::text;
use super::written::{Flag, Hours, List, Text};
use crate::protocol::duration::Span;
use crate::protocol::token::GrantType;

/// What a client is: one application, and what it may do at its tenant.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct ClientSpec {
    /// The client_id of the application.
    #[serde(alias = "client_id", alias = "clientId")]
    ident: Option<Text>,
    /// The full name of the tenant that the client belongs to: namespace/name for a resource.
    #[serde(alias = "tenant", alias = "tenantName", alias = "tenant_name")]
    tenantname: Option<Text>,
    /// Where codes may be sent: URLs, or patterns that match a whole URL.
    #[serde(alias = "redirect_uris", alias = "redirect_uri", alias = "redirect_url")]
    #[serde(alias = "redirectUrls", alias = "redirectUris", alias = "redirectUri")]
    redirect_urls: List<Text>,
    /// Where a browser may go after signing out, compared exactly.
    #[serde(alias = "post_logout_redirect_uris", alias = "postLogoutRedirectUrls", alias = "postLogoutRedirectUris")]
    post_logout_redirect_urls: List<Text>,
    /// What it may ask /token for; authorization_code and refresh_token, where it is left out.
    #[serde(alias = "grantTypes")]
    grant_types: Option<List<Text>>,
    /// What it may ask for; * stands for one or more characters.
    scopes: List<Text>,
    /// Resources and audiences that it may have tokens for, besides itself; * stands for one or more characters.
    resources: List<Text>,
    /// Token exchange: the aud of tokens that it may exchange, besides its own ident.
    #[serde(alias = "acceptedAudiences")]
    accepted_audiences: List<Text>,
    /// Scopes that a login script may add.
    #[serde(rename = "allowedProviderScopes", alias = "allowed_provider_scopes")]
    allowed_provider_scopes: List<Text>,
    /// If set, /authorize must be reached from one of these.
    referrers: List<Text>,
    /// PKCE is demanded although the client has a secret.
    #[serde(rename = "isPkceOnly", alias = "is_pkce_only", alias = "isPKCEOnly", alias = "ispkceonly")]
    is_pkce_only: Option<Flag>,
    /// Challenges of the method plain are accepted.
    #[serde(alias = "allowPlainPkce")]
    allow_plain_pkce: Option<Flag>,
    /// The secret in clear; better kept in a Secret, see secretRef.
    #[serde(alias = "client_secret")]
    secret: Option<Text>,
    /// The secret as argon2id, or as sha256: and 64 hexadecimal digits.
    #[serde(alias = "secretHash")]
    secret_hash: Option<Text>,
    /// A Secret of the same namespace with the secret under the key secret, or under the one that is named.
    #[serde(rename = "secretRef", alias = "secret_ref")]
    secret_ref: Option<SecretRef>,
    /// How the client proves itself: client_secret_basic, client_secret_post, private_key_jwt or none.
    #[serde(alias = "tokenEndpointAuthMethod")]
    token_endpoint_auth_method: Option<Text>,
    /// How its ID tokens are signed, where it differs from the tenant's.
    #[serde(alias = "idTokenSignedResponseAlg")]
    id_token_signed_response_alg: Option<Text>,
    /// Public keys of a client that signs its own assertions.
    jwks: Option<Value>,
    /// Where those keys are fetched from.
    #[serde(alias = "jwksUri")]
    jwks_uri: Option<Text>,
    /// Life of access and ID tokens.
    #[serde(alias = "accessTokenHours")]
    access_token_hours: Option<Hours>,
    /// Life of refresh tokens.
    #[serde(alias = "refreshTokenHours")]
    refresh_token_hours: Option<Hours>,
    /// Requests must be pushed first.
    #[serde(alias = "requirePushedAuthorizationRequests")]
    require_pushed_authorization_requests: Option<Flag>,
    /// Access tokens are bound to a key of the client.
    #[serde(alias = "dpopBoundAccessTokens")]
    dpop_bound_access_tokens: Option<Flag>,
    /// A stricter profile, like fapi2.
    profile: Option<Text>,
    /// Where the client hears that a person signed out.
    #[serde(alias = "backchannelLogoutUri")]
    backchannel_logout_uri: Option<Text>,
    /// Whether it needs sid for that.
    #[serde(alias = "backchannelLogoutSessionRequired")]
    backchannel_logout_session_required: Option<Flag>,
    /// Web origins that may call the server from a browser; those of redirect_urls, where it is left out.
    #[serde(alias = "allowedOrigins")]
    allowed_origins: Option<List<Text>>,
    /// How devices without a browser sign in.
    #[serde(alias = "deviceGrantConfig")]
    device_grant_config: Option<DeviceGrantSpec>,
    /// implicit, or required to ask people first.
    consent: Option<Text>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct DeviceGrantSpec {
    /// Life of the codes.
    #[serde(alias = "expiresIn")]
    #[schemars(with = "Option<Text>")]
    expires_in: Option<Span>,
    /// How long a device waits between two questions.
    #[schemars(with = "Option<Text>")]
    interval: Option<Span>,
    /// The page that people are sent to, where it is not the server's own.
    #[serde(alias = "verificationUri")]
    verification_uri: Option<Text>,
}

/// Keys of `config` that nobody knows, each with the place where it stands.
pub(super) fn unknown(config: &Yaml, path: &str) -> Vec<String> {
    let mut unknown = unknown_keys::<ClientSpec>(Some(config), path);
    let device = format!("{path}.device_grant_config");
    unknown.extend(unknown_keys::<DeviceGrantSpec>(config.get("device_grant_config"), &device));
    unknown.extend(unknown_keys::<SecretRef>(config.get("secretRef"), &format!("{path}.secretRef")));
    unknown
}

impl ClientSpec {
    /// Checks everything that can be checked without tenants and other clients; what is wrong goes to `findings`.
    pub(super) fn check(mut self, title: Title, secrets: &Secrets, findings: &mut Findings) -> Client {
        self.refuse_what_is_not_kept_yet(findings);
        let ident = text(self.ident.take()).unwrap_or_default();
        if !(1..=256).contains(&ident.len()) || !ident.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            findings.error("ident must be 1 to 256 printable ASCII characters; write the client_id of the application");
        }
        let tenant = text(self.tenantname.take()).unwrap_or_default();
        if tenant.is_empty() {
            findings.error("tenantname is missing; write the full name of the tenant that the client belongs to");
        }
        let written = WrittenSecret {
            clear: text(self.secret.take()),
            hash: text(self.secret_hash.take()),
            named: self.secret_ref.take(),
        };
        let secret = written.check(secrets, findings);
        let jwks = checked_keys(self.jwks.take(), findings);
        let jwks_uri = checked_address("jwks_uri", text(self.jwks_uri.take()), findings);
        let backchannel_logout_uri =
            checked_address("backchannel_logout_uri", text(self.backchannel_logout_uri.take()), findings);
        if jwks.is_some() && jwks_uri.is_some() {
            // RFC 7591 §2
            findings.error("jwks and jwks_uri are both given; keep one of them");
        }
        let (has_keys, method) = (jwks.is_some() || jwks_uri.is_some(), self.token_endpoint_auth_method.take());
        let auth_method = checked_auth_method(text(method), secret.is_some(), has_keys, findings);
        let grant_types = checked_grants(self.grant_types.take(), auth_method == AuthMethod::None, findings);
        let redirect_uris = checked_uris("redirect_urls", std::mem::take(&mut self.redirect_urls), findings);
        if redirect_uris.is_empty() && grant_types.contains(&GrantType::AuthorizationCode) {
            findings.warn("redirect_urls is empty, so nobody can sign in through this client");
        }
        let device = self.device_grant_config.unwrap_or_default();
        let default = DeviceGrant::default();
        let on = |flag: Option<Flag>| flag.is_some_and(|Flag(flag)| flag);
        Client {
            ident: ident.into(),
            name: title.full,
            namespace: title.namespace,
            tenant: tenant.into(),
            allowed_origins: checked_origins(self.allowed_origins, &redirect_uris, findings),
            redirect_uris,
            post_logout_redirect_uris: checked_post_logout(self.post_logout_redirect_urls, findings),
            grant_types,
            scopes: patterns(self.scopes),
            resources: patterns(self.resources),
            accepted_audiences: patterns(self.accepted_audiences),
            provider_scopes: patterns(self.allowed_provider_scopes),
            referrers: checked_uris("referrers", self.referrers, findings),
            pkce_only: on(self.is_pkce_only),
            allow_plain_pkce: on(self.allow_plain_pkce),
            secret,
            auth_method,
            id_token_algorithm: checked_id_token_algorithm(text(self.id_token_signed_response_alg), findings),
            access_token_lifetime: self.access_token_hours.map(|Hours(life)| life),
            refresh_token_lifetime: self.refresh_token_hours.map(|Hours(life)| life),
            consent_required: checked_consent(text(self.consent), findings),
            jwks,
            jwks_uri,
            require_pushed_authorization_requests: on(self.require_pushed_authorization_requests),
            dpop_bound_access_tokens: on(self.dpop_bound_access_tokens),
            backchannel_logout_uri,
            backchannel_logout_session_required: on(self.backchannel_logout_session_required),
            device_grant: DeviceGrant {
                expires_in: device.expires_in.map_or(default.expires_in, |Span(span)| span),
                interval: device.interval.map_or(default.interval, |Span(span)| span),
                verification_uri: text(device.verification_uri),
            },
        }
    }

    /// What would make a client weaker than its operator asked for must not be passed over in silence.
    fn refuse_what_is_not_kept_yet(&self, findings: &mut Findings) {
        let on = |flag: &Option<Flag>| flag.is_some_and(|Flag(flag)| flag);
        let profile = self.profile.as_ref().is_some_and(|Text(profile)| !profile.is_empty());
        for (asked, key) in [
            (profile, "profile"),
            (on(&self.require_pushed_authorization_requests), "require_pushed_authorization_requests"),
            (on(&self.dpop_bound_access_tokens), "dpop_bound_access_tokens"),
        ] {
            if asked {
                findings.error(format!(
                    "{key} is not supported yet, and without it the client would be weaker than you ask for; remove it \
                     if that is what you want"
                ));
            }
        }
    }
}
