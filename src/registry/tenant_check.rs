//! From a tenant as operators write it to a [`Tenant`].

use super::document::{Findings, Title};
use super::secrets::Secrets;
use super::tenant::{AMAZON, Informations, Interceptor, SigningOverrides, Templates, Tenant, bare_host};
use super::tenant_spec::{InterceptorSpec, TemplatesSpec, TenantSpec};
use super::tenant_values::{
    check_bucket, check_cookie, checked_cookie_domain, checked_hosts, checked_issuer, checked_login_page, checked_look,
    checked_store, checked_users, is_tenant_name,
};
use super::written::{Flag, List, Text, text};
use crate::protocol::duration::Span;

impl TenantSpec {
    /// Checks everything that can be checked without other tenants; what is wrong goes to `findings`.
    pub(super) fn check(
        self,
        title: Title,
        secrets: &Secrets,
        check_script: &dyn Fn(&str) -> Result<(), String>,
        findings: &mut Findings,
    ) -> Tenant {
        if !is_tenant_name(&title.full) {
            findings.error(format!(
                "name {:?} must be 1 to 128 letters, digits, dots, underscores, slashes and hyphens",
                title.full
            ));
        }
        let script = Some(self.providers.texts().join("\n")).filter(|script| !script.is_empty());
        if let Some(Err(error)) = script.as_deref().map(check_script) {
            findings.error(format!("providers: {error}"));
        }
        let users = checked_users(self.users, findings);
        let has_login = script.as_deref().is_some_and(|script| script.contains("UserLoginProvider"));
        match (has_login, users.is_empty()) {
            (true, false) => findings.warn("users are not asked, because providers has a UserLoginProvider"),
            (false, true) => {
                findings.warn("nobody can sign in: give it providers with a UserLoginProvider, or users");
            }
            _ => {}
        }
        let interceptor = self.interceptor.unwrap_or_default().check(findings);
        let informations = self.informations.unwrap_or_default();
        let signing = self.signing.unwrap_or_default();
        let (hosts, ports) = checked_hosts(self.hosts.texts(), findings);
        let tenant = Tenant {
            name: title.full.into(),
            namespace: title.namespace,
            hosts,
            ports,
            issuer: self.issuer.and_then(|Text(issuer)| checked_issuer(&issuer, findings)),
            script: script.map(Into::into),
            fetch_hosts: self.fetch_hosts.map(List::texts),
            users,
            interceptor,
            informations: Informations {
                imprint_url: text(informations.imprint_url),
                privacy_url: text(informations.privacy_url),
                register_url: text(informations.register_url),
            },
            look: checked_look(self.look.unwrap_or_default(), findings),
            templates: self.templates.and_then(|templates| templates.check(secrets, findings)),
            silent_login: self.silent_login.is_none_or(|Flag(silent)| silent),
            algorithm: text(self.jwt_algorithm)
                .and_then(|name| name.parse().map_err(|error| findings.error(format!("jwt_algorithm: {error}"))).ok()),
            signing: SigningOverrides {
                rotate_every: signing.rotate_every.map(|Span(span)| span),
                announce: signing.announce.map(|Span(span)| span),
                grace: signing.grace.map(|Span(span)| span),
            },
            allowed_client_namespaces: self.allowed_client_namespaces.texts(),
            enabled: self.enabled.is_none_or(|Flag(enabled)| enabled),
        };
        check_cookie(&tenant, findings);
        tenant
    }
}

impl InterceptorSpec {
    /// The cookie is for the login page's domain and what is below it, unless another one is written.
    fn check(self, findings: &mut Findings) -> Interceptor {
        let enabled = self.enabled.is_none_or(|Flag(enabled)| enabled);
        let domain = text(self.domain).and_then(|domain| checked_login_page(&domain, findings));
        let written = text(self.cookie).and_then(|domain| checked_cookie_domain(&domain, findings));
        let cookie = written.or_else(|| domain.as_deref().filter(|_| enabled).map(bare_host));
        Interceptor { enabled, domain, cookie, shared: self.shared.is_some_and(|Flag(shared)| shared) }
    }
}

impl TemplatesSpec {
    fn check(self, secrets: &Secrets, findings: &mut Findings) -> Option<Templates> {
        let Some(bucket) = text(self.bucket) else {
            findings.error("templates: bucket is missing; write the name of the bucket that holds the pages");
            return None;
        };
        let (mut id, mut key) = (text(self.access_key_id), text(self.secret_access_key));
        if let Some(named) = self.secret_ref {
            if id.is_some() || key.is_some() {
                findings.error("templates: secretRef and an access key are both given; keep one of them");
            }
            let mut value = |key| secrets.value(&named, key).map_err(|error| findings.error(error)).ok();
            (id, key) = (value("access_key_id"), value("secret_access_key"));
        }
        let host = text(self.host);
        let templates = Templates {
            host: host.map_or_else(|| Some(AMAZON.to_owned()), |host| checked_store(&host, findings))?,
            bucket,
            path: text(self.path).unwrap_or_default().trim_matches('/').to_owned(),
            region: text(self.region).unwrap_or_else(|| "us-east-1".into()),
            access_key_id: id,
            secret_access_key: key,
        };
        check_bucket(&templates, findings);
        Some(templates)
    }
}
