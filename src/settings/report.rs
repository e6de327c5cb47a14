//! What would be served, for people and for machines: the output of `uitsmijter check`.

use std::fmt;

use serde::Serialize;

use super::advice::problem;
use super::resolved::Settings;
use crate::protocol::duration;
use crate::protocol::redirect_uri::RedirectUri;
use crate::protocol::token::GrantType;
use crate::registry::client::Client;
use crate::registry::tenant::{HostPattern, Tenant};
use crate::registry::{Problem, Severity, Snapshot};

/// Everything that `uitsmijter check` reports; printed for people, serialized for machines.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether nothing is wrong; warnings do not count.
    pub ok: bool,
    /// Addresses, environment, store.
    pub server: Vec<(&'static str, String)>,
    /// How keys live.
    pub keys: Vec<(&'static str, String)>,
    /// What is served.
    pub tenants: Vec<TenantReport>,
    /// What is wrong with documents.
    pub problems: Vec<Problem>,
    /// What should be known about the settings.
    pub notices: Vec<String>,
}

/// One tenant.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the keys of the output speak for themselves")]
pub struct TenantReport {
    pub name: String,
    pub enabled: bool,
    pub hosts: Vec<String>,
    pub issuers: Vec<String>,
    pub algorithm: String,
    pub sign_in: String,
    pub templates: Option<String>,
    pub clients: Vec<ClientReport>,
}

/// One client.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the keys of the output speak for themselves")]
pub struct ClientReport {
    pub name: String,
    pub client_id: String,
    pub enabled: bool,
    pub confidential: bool,
    pub grant_types: Vec<&'static str>,
    pub redirect_uris: Vec<String>,
}

impl Report {
    /// Gathers what `settings` and `snapshot` would serve. `problems` are those of the documents.
    pub fn new(settings: &Settings, snapshot: &Snapshot, problems: &[Problem]) -> Self {
        let mut problems = problems.to_vec();
        problems.extend(settings.conflicts(snapshot));
        if let Err(error) = settings.check_tenants(snapshot) {
            problems.push(problem(Severity::Error, String::new(), error.to_string()));
        }
        Self {
            ok: problems.iter().all(|problem| problem.severity < Severity::Error),
            server: server(settings),
            keys: keys(settings),
            tenants: snapshot.tenants().map(|tenant| tenant_report(settings, snapshot, tenant)).collect(),
            problems,
            notices: settings.notices(),
        }
    }

    /// The same for those who want no warnings: each is an error.
    #[must_use]
    pub fn strictly(mut self) -> Self {
        self.problems.iter_mut().for_each(|problem| problem.severity = Severity::Error);
        self.ok = self.problems.is_empty();
        self
    }
}

fn server(settings: &Settings) -> Vec<(&'static str, String)> {
    let store = match (&settings.store.redis, &settings.store.path) {
        (Some(redis), _) if !redis.cluster_hosts.is_empty() => {
            format!("Redis Cluster ({})", redis.cluster_hosts.join(", "))
        }
        (Some(redis), _) if !redis.sentinel.hosts.is_empty() => {
            format!("Redis by Sentinel ({})", redis.sentinel.hosts.join(", "))
        }
        (Some(redis), _) => match &redis.host {
            Some(host) => format!("Redis ({host}:{})", redis.port),
            // The URL may carry a password.
            None => "Redis (by REDIS_URL)".into(),
        },
        (None, Some(path)) => format!("embedded ({})", path.display()),
        (None, None) => "memory".into(),
    };
    let environment = if settings.production { "production" } else { "development" };
    let lives = &settings.lifetimes;
    let mut lines = vec![
        ("listen", settings.listen.to_string()),
        ("environment", environment.into()),
        ("public origin", settings.public_origin()),
        ("store", store),
        (
            "lifetimes",
            format!(
                "access token {}, refresh token {}, session {}",
                duration::write(lives.access_token),
                duration::write(lives.refresh_token),
                duration::write(lives.session)
            ),
        ),
    ];
    // Their origins alone: some collectors take their key in the path.
    let telemetry = &settings.telemetry;
    for (name, place) in [("traces", &telemetry.traces), ("logs", &telemetry.logs)] {
        lines.extend(place.as_ref().map(|url| (name, url.origin().ascii_serialization())));
    }
    lines
}

fn keys(settings: &Settings) -> Vec<(&'static str, String)> {
    let signing = &settings.signing;
    let sealed = !signing.seal_secrets.is_empty() || signing.hs256_secret.is_some();
    vec![
        ("access tokens", signing.algorithm.to_string()),
        ("scope", if signing.shared { "one key set for all tenants" } else { "one key set per tenant" }.into()),
        ("rotate every", duration::write(signing.policy.rotate_every)),
        ("announce", duration::write(signing.policy.announce)),
        ("grace", duration::write(signing.policy.grace)),
        ("JWKS max-age", duration::write(signing.policy.jwks_max_age)),
        ("at rest", if sealed { "sealed" } else { "not sealed" }.into()),
    ]
}

fn tenant_report(settings: &Settings, snapshot: &Snapshot, tenant: &Tenant) -> TenantReport {
    let clients = snapshot.clients_of(&tenant.name).iter().chain(snapshot.disabled_clients_of(&tenant.name));
    let users = tenant.users.len();
    TenantReport {
        name: tenant.name.to_string(),
        enabled: tenant.enabled,
        hosts: tenant.hosts.iter().map(|HostPattern(host)| host.clone()).collect(),
        issuers: issuers(settings, tenant),
        algorithm: tenant.algorithm.unwrap_or(settings.signing.algorithm).to_string(),
        sign_in: match &tenant.script {
            Some(script) if script.contains("UserLoginProvider") => "login script".into(),
            _ if users == 1 => "1 user".into(),
            _ => format!("{users} users"),
        },
        templates: tenant.templates.as_ref().map(ToString::to_string),
        clients: clients.map(|client| client_report(client)).collect(),
    }
}

fn client_report(client: &Client) -> ClientReport {
    ClientReport {
        name: client.name.clone(),
        client_id: client.ident.to_string(),
        enabled: client.enabled,
        confidential: !client.is_public(),
        grant_types: client.grant_types.iter().copied().map(GrantType::as_str).collect(),
        redirect_uris: client.redirect_uris.iter().map(RedirectUri::as_str).map(str::to_owned).collect(),
    }
}

/// The fixed issuer, or one per host; the port of a request counts too, so the public one is shown where it has one.
fn issuers(settings: &Settings, tenant: &Tenant) -> Vec<String> {
    if let Some(issuer) = &tenant.issuer {
        return vec![issuer.as_str().trim_end_matches('/').to_owned()];
    }
    let port = settings.public_domain.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let port = port.map(|(_, port)| format!(":{port}")).unwrap_or_default();
    tenant.hosts.iter().map(|HostPattern(host)| format!("{}://{host}{port}", settings.scheme())).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, lines) in [("Server", &self.server), ("Signing keys", &self.keys)] {
            writeln!(f, "{title}")?;
            lines.iter().try_for_each(|(name, value)| writeln!(f, "  {name:<14} {value}"))?;
            writeln!(f)?;
        }
        if self.tenants.is_empty() {
            writeln!(f, "No tenants\n")?;
        }
        for tenant in &self.tenants {
            writeln!(f, "Tenant {}{}", tenant.name, if tenant.enabled { "" } else { " (disabled)" })?;
            writeln!(f, "  {:<14} {}", "hosts", tenant.hosts.join(", "))?;
            writeln!(f, "  {:<14} {}", "issuer", tenant.issuers.join(", "))?;
            writeln!(f, "  {:<14} {}", "algorithm", tenant.algorithm)?;
            writeln!(f, "  {:<14} {}", "sign-in", tenant.sign_in)?;
            tenant.templates.iter().try_for_each(|place| writeln!(f, "  {:<14} {place}", "templates"))?;
            tenant.clients.iter().try_for_each(|client| write!(f, "{client}"))?;
            writeln!(f)?;
        }
        self.notices.iter().try_for_each(|notice| writeln!(f, "notice: {notice}"))?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "{problem}"))?;
        let count = |severity| self.problems.iter().filter(|problem| problem.severity == severity).count();
        let clients: usize = self.tenants.iter().map(|tenant| tenant.clients.len()).sum();
        writeln!(
            f,
            "tenants: {}, clients: {clients}, errors: {}, warnings: {}",
            self.tenants.len(),
            count(Severity::Error),
            count(Severity::Warning)
        )
    }
}

impl fmt::Display for ClientReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.confidential { "with secret" } else { "public" };
        let state = if self.enabled { "" } else { ", disabled" };
        writeln!(f, "  client {} ({kind}{state})", self.name)?;
        writeln!(f, "    {:<12} {}", "client_id", self.client_id)?;
        writeln!(f, "    {:<12} {}", "grants", self.grant_types.join(", "))?;
        self.redirect_uris.iter().try_for_each(|uri| writeln!(f, "    {:<12} {uri}", "redirect"))
    }
}
