//! A tenant as operators write it, and how it becomes a [`Tenant`].

use serde::Deserialize;
use serde_json::{Map, Value};
use yaml_serde::Value as Yaml;

use super::document::{Findings, Title};
use super::known_keys::unknown_keys;
use super::tenant::{AMAZON, Informations, Interceptor, SigningOverrides, Templates, Tenant};
use super::tenant_check::{
    check_bucket, checked_hosts, checked_issuer, checked_look, checked_store, checked_users, is_tenant_name,
};
use super::written::{Flag, List, Text};
use crate::protocol::duration::Span;

/// The keys under `config:` or `spec:` of a tenant.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TenantSpec {
    #[serde(alias = "host")]
    hosts: List<Text>,
    issuer: Option<Text>,
    #[serde(alias = "provider")]
    providers: List<Text>,
    #[serde(alias = "fetchHosts")]
    fetch_hosts: Option<List<Text>>,
    users: List<UserSpec>,
    interceptor: Option<InterceptorSpec>,
    #[serde(alias = "information")]
    informations: Option<InformationsSpec>,
    look: Option<LookSpec>,
    templates: Option<TemplatesSpec>,
    #[serde(alias = "silentLogin")]
    silent_login: Option<Flag>,
    #[serde(alias = "jwtAlgorithm")]
    jwt_algorithm: Option<Text>,
    signing: Option<SigningSpec>,
    #[serde(alias = "allowedClientNamespaces")]
    allowed_client_namespaces: List<Text>,
}

#[derive(Deserialize)]
pub(super) struct UserSpec {
    pub(super) username: Text,
    #[serde(alias = "passwordHash")]
    pub(super) password_hash: Text,
    pub(super) subject: Option<Text>,
    pub(super) role: Option<Text>,
    #[serde(default)]
    pub(super) profile: Option<Map<String, Value>>,
    #[serde(default)]
    pub(super) scopes: List<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InterceptorSpec {
    enabled: Option<Flag>,
    domain: Option<Text>,
    cookie: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InformationsSpec {
    #[serde(alias = "imprintUrl")]
    imprint_url: Option<Text>,
    #[serde(alias = "privacyUrl")]
    privacy_url: Option<Text>,
    #[serde(alias = "registerUrl")]
    register_url: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LookSpec {
    pub(super) title: Option<Text>,
    #[serde(alias = "logoUrl")]
    pub(super) logo_url: Option<Text>,
    pub(super) accent: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplatesSpec {
    host: Option<Text>,
    bucket: Option<Text>,
    path: Option<Text>,
    region: Option<Text>,
    #[serde(alias = "accessKeyId")]
    access_key_id: Option<Text>,
    #[serde(alias = "secretAccessKey")]
    secret_access_key: Option<Text>,
    #[serde(rename = "secretRef", alias = "secret_ref")]
    secret_ref: Option<Yaml>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SigningSpec {
    #[serde(alias = "rotateEvery")]
    rotate_every: Option<Span>,
    announce: Option<Span>,
    grace: Option<Span>,
}

/// Keys of `config` that nobody knows, each with the place where it stands.
pub(super) fn unknown(config: &Yaml, path: &str) -> Vec<String> {
    let mut unknown = unknown_keys::<TenantSpec>(Some(config), path);
    let nested = |key: &str| (config.get(key), format!("{path}.{key}"));
    let (value, place) = nested("interceptor");
    unknown.extend(unknown_keys::<InterceptorSpec>(value, &place));
    let (value, place) = nested("informations");
    unknown.extend(unknown_keys::<InformationsSpec>(value, &place));
    let (value, place) = nested("look");
    unknown.extend(unknown_keys::<LookSpec>(value, &place));
    let (value, place) = nested("templates");
    unknown.extend(unknown_keys::<TemplatesSpec>(value, &place));
    let (value, place) = nested("signing");
    unknown.extend(unknown_keys::<SigningSpec>(value, &place));
    let (value, place) = nested("users");
    for user in value.and_then(Yaml::as_sequence).into_iter().flatten() {
        unknown.extend(unknown_keys::<UserSpec>(Some(user), &place));
    }
    unknown
}

impl TenantSpec {
    /// Checks everything that can be checked without other tenants; what is wrong goes to `findings`.
    pub(super) fn check(
        self,
        title: Title,
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
        let interceptor = self.interceptor.unwrap_or_default();
        let informations = self.informations.unwrap_or_default();
        let signing = self.signing.unwrap_or_default();
        Tenant {
            name: title.full.into(),
            namespace: title.namespace,
            hosts: checked_hosts(self.hosts.texts(), findings),
            issuer: self.issuer.and_then(|Text(issuer)| checked_issuer(&issuer, findings)),
            script: script.map(Into::into),
            fetch_hosts: self.fetch_hosts.map(List::texts),
            users,
            interceptor: Interceptor {
                enabled: interceptor.enabled.is_none_or(|Flag(enabled)| enabled),
                domain: text(interceptor.domain),
                cookie: text(interceptor.cookie),
            },
            informations: Informations {
                imprint_url: text(informations.imprint_url),
                privacy_url: text(informations.privacy_url),
                register_url: text(informations.register_url),
            },
            look: checked_look(self.look.unwrap_or_default(), findings),
            templates: self.templates.and_then(|templates| templates.check(findings)),
            silent_login: self.silent_login.is_none_or(|Flag(silent)| silent),
            algorithm: text(self.jwt_algorithm)
                .and_then(|name| name.parse().map_err(|error| findings.error(format!("jwt_algorithm: {error}"))).ok()),
            signing: SigningOverrides {
                rotate_every: signing.rotate_every.map(|Span(span)| span),
                announce: signing.announce.map(|Span(span)| span),
                grace: signing.grace.map(|Span(span)| span),
            },
            allowed_client_namespaces: self.allowed_client_namespaces.texts(),
        }
    }
}

impl TemplatesSpec {
    fn check(self, findings: &mut Findings) -> Option<Templates> {
        let Some(bucket) = text(self.bucket) else {
            findings.error("templates: bucket is missing; write the name of the bucket that holds the pages");
            return None;
        };
        if self.secret_ref.is_some() {
            findings.warn("templates.secretRef is not read by this release");
        }
        let host = text(self.host);
        let templates = Templates {
            host: host.map_or_else(|| Some(AMAZON.to_owned()), |host| checked_store(&host, findings))?,
            bucket,
            path: text(self.path).unwrap_or_default().trim_matches('/').to_owned(),
            region: text(self.region).unwrap_or_else(|| "us-east-1".into()),
            access_key_id: text(self.access_key_id),
            secret_access_key: text(self.secret_access_key),
        };
        check_bucket(&templates, findings);
        Some(templates)
    }
}

/// The text, unless it is empty.
pub(super) fn text(written: Option<Text>) -> Option<String> {
    written.map(|Text(text)| text).filter(|text| !text.is_empty())
}
