//! From a client as operators write it to a [`Client`].

use super::client::{AuthMethod, Client, DeviceGrant};
use super::client_spec::ClientSpec;
use super::client_values::{
    WrittenSecret, checked_address, checked_auth_method, checked_consent, checked_grants, checked_id_token_algorithm,
    checked_keys, checked_origins, checked_post_logout, checked_uris, patterns,
};
use super::document::{Findings, Title};
use super::secrets::Secrets;
use super::written::{Flag, Hours, Text, text};
use crate::protocol::duration::Span;
use crate::protocol::token::GrantType;

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
        for uri in redirect_uris.iter().filter(|uri| uri.is_plain()) {
            findings.warn(format!(
                "redirect_urls: {:?} is plain http, so anyone on the network path can read codes; write https",
                uri.as_str()
            ));
        }
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
            enabled: self.enabled.is_none_or(|Flag(enabled)| enabled),
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
