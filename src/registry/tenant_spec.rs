//! A tenant as operators write it, and how it becomes a [`Tenant`].

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use yaml_serde::Value as Yaml;

use super::document::{Findings, Title};
use super::known_keys::unknown_keys;
use super::secrets::{SecretRef, Secrets};
use super::tenant::{AMAZON, Informations, Interceptor, SigningOverrides, Templates, Tenant, bare_host};
use super::tenant_check::{
    check_bucket, checked_hosts, checked_issuer, checked_look, checked_store, checked_users, is_tenant_name,
};
use super::written::{Flag, List, Text};
use crate::protocol::duration::Span;

/// What a tenant is: a community of people, and the hosts under which its applications find the server.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct TenantSpec {
    /// Hosts that lead to the tenant: a list of names, where * stands for one label.
    #[serde(alias = "host")]
    hosts: List<Text>,
    /// URL that fixes the issuer for all hosts.
    issuer: Option<Text>,
    /// JavaScript sources of the login script, joined by newlines.
    #[serde(alias = "provider")]
    providers: List<Text>,
    /// Hosts that the login script may call; all, where it is left out.
    #[serde(alias = "fetchHosts")]
    fetch_hosts: Option<List<Text>>,
    /// A few fixed people, who are asked where providers have no UserLoginProvider.
    #[schemars(with = "Option<Vec<Option<UserSpec>>>")]
    users: List<UserSpec>,
    /// Forward authentication for applications behind a proxy.
    interceptor: Option<InterceptorSpec>,
    /// Links in the footer of every page.
    #[serde(alias = "information")]
    informations: Option<InformationsSpec>,
    /// How the pages look.
    look: Option<LookSpec>,
    /// A bucket of an S3-compatible store with pages of the tenant's own.
    templates: Option<TemplatesSpec>,
    /// false: the login page is shown although a session exists.
    #[serde(alias = "silentLogin")]
    silent_login: Option<Flag>,
    /// How access tokens are signed, like RS256.
    #[serde(alias = "jwtAlgorithm")]
    jwt_algorithm: Option<Text>,
    /// Where the life of signing keys differs from the server's settings.
    signing: Option<SigningSpec>,
    /// Other namespaces that may attach clients.
    #[serde(alias = "allowedClientNamespaces")]
    allowed_client_namespaces: List<Text>,
}

/// One of a tenant's fixed people.
#[derive(Deserialize, JsonSchema)]
pub(super) struct UserSpec {
    /// What is typed in.
    pub(super) username: Text,
    /// The password as argon2id; `uitsmijter hash` makes one.
    #[serde(alias = "passwordHash")]
    pub(super) password_hash: Text,
    /// The claim sub; the username, where it is left out.
    pub(super) subject: Option<Text>,
    /// The claim role.
    pub(super) role: Option<Text>,
    /// Claims about the person.
    #[serde(default)]
    pub(super) profile: Option<Map<String, Value>>,
    /// Scopes that a sign-in adds.
    #[serde(default)]
    pub(super) scopes: List<Text>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct InterceptorSpec {
    /// Whether it answers at all.
    enabled: Option<Flag>,
    /// The host of the login page.
    domain: Option<Text>,
    /// The domain of the cookie.
    cookie: Option<Text>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct InformationsSpec {
    /// Who runs this.
    #[serde(alias = "imprintUrl")]
    imprint_url: Option<Text>,
    /// What happens with data.
    #[serde(alias = "privacyUrl")]
    privacy_url: Option<Text>,
    /// Where people become users.
    #[serde(alias = "registerUrl")]
    register_url: Option<Text>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct LookSpec {
    /// The name above every page.
    pub(super) title: Option<Text>,
    /// A picture beside it.
    #[serde(alias = "logoUrl")]
    pub(super) logo_url: Option<Text>,
    /// The colour of the main button, as #rrggbb.
    pub(super) accent: Option<Text>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct TemplatesSpec {
    /// The store; s3.amazonaws.com, where it is left out.
    host: Option<Text>,
    /// The bucket.
    bucket: Option<Text>,
    /// The folder in it.
    path: Option<Text>,
    /// The region; us-east-1, where it is left out.
    region: Option<Text>,
    /// The name of the access key.
    #[serde(alias = "accessKeyId")]
    access_key_id: Option<Text>,
    /// The secret of the access key; better kept in a Secret, see secretRef.
    #[serde(alias = "secretAccessKey")]
    secret_access_key: Option<Text>,
    /// A Secret of the same namespace with the keys access_key_id and secret_access_key.
    #[serde(rename = "secretRef", alias = "secret_ref")]
    secret_ref: Option<SecretRef>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct SigningSpec {
    /// How long a key signs, like 90d.
    #[serde(alias = "rotateEvery")]
    #[schemars(with = "Option<Text>")]
    rotate_every: Option<Span>,
    /// How long a key is published before it signs, like 24h.
    #[schemars(with = "Option<Text>")]
    announce: Option<Span>,
    /// How long a key is published after it signed, like 7d.
    #[schemars(with = "Option<Text>")]
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
    let inner = value.and_then(|templates| templates.get("secretRef"));
    unknown.extend(unknown_keys::<SecretRef>(inner, &format!("{place}.secretRef")));
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
        let interceptor = self.interceptor.unwrap_or_default().read();
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
        }
    }
}

impl InterceptorSpec {
    /// The cookie is for the login page's domain and what is below it, unless another one is written.
    fn read(self) -> Interceptor {
        let enabled = self.enabled.is_none_or(|Flag(enabled)| enabled);
        let domain = text(self.domain);
        let cookie = text(self.cookie).or_else(|| domain.as_deref().filter(|_| enabled).map(bare_host));
        Interceptor { enabled, domain, cookie }
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

/// The text, unless it is empty.
pub(super) fn text(written: Option<Text>) -> Option<String> {
    written.map(|Text(text)| text).filter(|text| !text.is_empty())
}
