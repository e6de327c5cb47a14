//! A tenant as operators write it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use yaml_serde::Value as Yaml;

use super::document::Findings;
use super::known_keys::unknown_keys;
use super::secrets::SecretRef;
use super::written::{Flag, List, Text};
use crate::protocol::duration::Span;

/// What a tenant is: a community of people, and the hosts under which its applications find the server.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct TenantSpec {
    /// Hosts that lead to the tenant: a list of names, where * stands for one label.
    #[serde(alias = "host")]
    pub(super) hosts: List<Text>,
    /// URL that fixes the issuer for all hosts.
    pub(super) issuer: Option<Text>,
    /// JavaScript sources of the login script, joined by newlines.
    #[serde(alias = "provider")]
    pub(super) providers: List<Text>,
    /// Hosts that the login script may call; all, where it is left out.
    #[serde(alias = "fetchHosts")]
    pub(super) fetch_hosts: Option<List<Text>>,
    /// A few fixed people, who are asked where providers have no UserLoginProvider.
    #[schemars(with = "Option<Vec<Option<UserSpec>>>")]
    pub(super) users: List<UserSpec>,
    /// Forward authentication for applications behind a proxy.
    pub(super) interceptor: Option<InterceptorSpec>,
    /// Links in the footer of every page.
    #[serde(alias = "information")]
    pub(super) informations: Option<InformationsSpec>,
    /// How the pages look.
    pub(super) look: Option<LookSpec>,
    /// A bucket of an S3-compatible store with pages of the tenant's own.
    pub(super) templates: Option<TemplatesSpec>,
    /// false: the login page is shown although a session exists.
    #[serde(alias = "silentLogin")]
    pub(super) silent_login: Option<Flag>,
    /// How access tokens are signed, like RS256.
    #[serde(alias = "jwtAlgorithm")]
    pub(super) jwt_algorithm: Option<Text>,
    /// Where the life of signing keys differs from the server's settings.
    pub(super) signing: Option<SigningSpec>,
    /// Other namespaces that may attach clients.
    #[serde(alias = "allowedClientNamespaces")]
    pub(super) allowed_client_namespaces: List<Text>,
    /// false: it is not served, and keeps its hosts.
    pub(super) enabled: Option<Flag>,
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
pub(super) struct InterceptorSpec {
    /// Whether it answers at all.
    pub(super) enabled: Option<Flag>,
    /// The host of the login page.
    pub(super) domain: Option<Text>,
    /// The domain of the cookie.
    pub(super) cookie: Option<Text>,
    /// true: login page and cookie domain may be those of other tenants, too, that write the same.
    pub(super) shared: Option<Flag>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct InformationsSpec {
    /// Who runs this.
    #[serde(alias = "imprintUrl")]
    pub(super) imprint_url: Option<Text>,
    /// What happens with data.
    #[serde(alias = "privacyUrl")]
    pub(super) privacy_url: Option<Text>,
    /// Where people become users.
    #[serde(alias = "registerUrl")]
    pub(super) register_url: Option<Text>,
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
pub(super) struct TemplatesSpec {
    /// The store; s3.amazonaws.com, where it is left out.
    pub(super) host: Option<Text>,
    /// The bucket.
    pub(super) bucket: Option<Text>,
    /// The folder in it.
    pub(super) path: Option<Text>,
    /// The region; us-east-1, where it is left out.
    pub(super) region: Option<Text>,
    /// The name of the access key.
    #[serde(alias = "accessKeyId")]
    pub(super) access_key_id: Option<Text>,
    /// The secret of the access key; better kept in a Secret, see secretRef.
    #[serde(alias = "secretAccessKey")]
    pub(super) secret_access_key: Option<Text>,
    /// A Secret of the same namespace with the keys access_key_id and secret_access_key.
    #[serde(rename = "secretRef", alias = "secret_ref")]
    pub(super) secret_ref: Option<SecretRef>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct SigningSpec {
    /// How long a key signs, like 90d.
    #[serde(alias = "rotateEvery")]
    #[schemars(with = "Option<Text>")]
    pub(super) rotate_every: Option<Span>,
    /// How long a key is published before it signs, like 24h.
    #[schemars(with = "Option<Text>")]
    pub(super) announce: Option<Span>,
    /// How long a key is published after it signed, like 7d.
    #[schemars(with = "Option<Text>")]
    pub(super) grace: Option<Span>,
}

/// Tells of the keys of `config` that nobody knows, each with the place where it stands.
pub(super) fn tell_unknown(config: &Yaml, path: &str, findings: &mut Findings) {
    unknown_keys::<TenantSpec>(Some(config), path, findings);
    let nested = |key: &str| (config.get(key), format!("{path}.{key}"));
    let (value, place) = nested("interceptor");
    unknown_keys::<InterceptorSpec>(value, &place, findings);
    for key in ["informations", "information"] {
        let (value, place) = nested(key);
        unknown_keys::<InformationsSpec>(value, &place, findings);
    }
    let (value, place) = nested("look");
    unknown_keys::<LookSpec>(value, &place, findings);
    let (value, place) = nested("templates");
    unknown_keys::<TemplatesSpec>(value, &place, findings);
    for key in SecretRef::KEYS {
        let inner = value.and_then(|templates| templates.get(key));
        unknown_keys::<SecretRef>(inner, &format!("{place}.{key}"), findings);
    }
    let (value, place) = nested("signing");
    unknown_keys::<SigningSpec>(value, &place, findings);
    let (value, place) = nested("users");
    for user in value.and_then(Yaml::as_sequence).into_iter().flatten() {
        unknown_keys::<UserSpec>(Some(user), &place, findings);
    }
}
