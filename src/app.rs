//! Every long-lived part, once.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};

use crate::client::declared::DeclaredClients;
use crate::clock::Clock;
use crate::document::kept_metadata::KeptMetadata;
use crate::issuer::{Issuer, Services};
use crate::key::custody::seal::Sealer;
use crate::key::settings::SigningSettings;
use crate::key::signer_manager::{Extras, SignerManager};
use crate::logged_name::LoggedNames;
use crate::login::client_secret::SecretChecker;
use crate::login::people::LoginProvider;
use crate::metrics::{Metrics, OfTenant};
use crate::origin::{Origin, canonical, covers};
use crate::outgoing::Outgoing;
use crate::outgoing::client::Policy;
use crate::outgoing::client_keys::PublishedClientKeys;
use crate::page::Pages;
use crate::page::views::Views;
use crate::random::{Random, Series};
use crate::registry::tenant::Tenant;
use crate::registry::{Registry, Snapshot};
use crate::sealing::{Configured, Sealing};
use crate::secret::Secret;
use crate::session::crowd::Crowds;
use crate::session::record::all_sessions;
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::token::pass::Passes;
use crate::turned_away::TurnedAway;
use crate::undeclared_proxies::UndeclaredProxies;

/// The server without its socket. Cheap to clone, which happens several times per request; tests build a real one with
/// their own clock and randomness.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] consists of.
#[derive(Clone)]
pub struct Parts {
    /// The settings of the process.
    pub settings: Arc<Settings>,
    /// Declared tenants and clients.
    pub registry: Registry,
    /// Records that outlive a request.
    pub store: Store,
    /// Shared by all issuers.
    pub services: Arc<Services>,
    /// The access tokens for applications behind proxies.
    pub passes: Passes,
    /// The discovery documents.
    pub metadata: KeptMetadata,
    /// The default pages.
    pub pages: Pages,
    /// The pages of tenants with their own templates.
    pub views: Views,
    /// Ids for requests that carry none.
    pub request_ids: Arc<Series>,
    /// Refused hosts that were logged lately.
    pub turned_away: TurnedAway,
    /// Peers that look like proxies of which nobody told us.
    pub undeclared_proxies: UndeclaredProxies,
    /// The password of the demo user, if there is a demo; shown on purpose.
    pub demo_password: Arc<OnceLock<Arc<str>>>,
    stopping: Arc<AtomicBool>,
    complete: Arc<AtomicBool>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens the store and prepares everything. Starts no task and listens on nothing.
    pub async fn open(
        settings: Settings,
        registry: Registry,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        let backend = store::open(&settings.store_settings(), clock.clone()).await?;
        let store = Store::new(backend, clock.clone());
        Self::over_store(settings, registry, store, clock, random).await
    }

    /// The same over a store that is open: several servers of one process share it, as replicas do.
    pub async fn over_store(
        settings: Settings,
        registry: Registry,
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        let metrics = Metrics::default();
        let extras = Extras { metrics: metrics.clone(), host: host() };
        let signing = settings.signing.clone();
        let secrets = named(&signing)?;
        let sealing = Sealing::new(store.clone(), &secrets, clock.clone(), random.clone())?;
        let keys = SignerManager::open_with(store.clone(), signing, clock.clone(), random.clone(), extras)
            .await
            .context("the signing keys cannot be used")?;
        // An outage of the store is reported by `follow_news`.
        drop(keys.meet_replicas().await);
        let outgoing = Outgoing::new(Policy::of_strangers(settings.allow_private_addresses));
        let pages = Pages::new()?;
        let views = Views::below(&settings.directory, pages.clone(), metrics.clone());
        let first = views.clone();
        tokio::task::spawn_blocking(move || first.reload()).await??;
        let request_ids = Arc::new(Series::new(random.as_ref()));
        let login = LoginProvider::new(settings.script_limits(), settings.allow_missing_providers, settings.may_stay);
        let services = Services {
            // Without a secret the digests of this process cannot be found again, and still tell names apart.
            logged_names: settings.logged_names().unwrap_or_else(|| LoggedNames::digested(random.token().as_bytes())),
            client_secrets: SecretChecker::new(login.passwords().clone()),
            login,
            clients: Arc::new(DeclaredClients),
            keys,
            sealing: Arc::new(sealing),
            metrics,
            client_keys: PublishedClientKeys::new(outgoing.clone()),
            outgoing,
            clock,
            random,
            lifetimes: settings.lifetimes,
            confirm_native: settings.confirm_native,
            crowds: Arc::new(Crowds::of_at_most(settings.sessions_per_person)),
            documents_max_age: settings.signing.policy.jwks_max_age,
            throttle: settings.login_protection,
        };
        Ok(Self(Arc::new(Parts {
            settings: Arc::new(settings),
            registry,
            store,
            services: Arc::new(services),
            passes: Passes::default(),
            metadata: KeptMetadata::default(),
            pages,
            views,
            request_ids,
            turned_away: TurnedAway::default(),
            undeclared_proxies: UndeclaredProxies::default(),
            demo_password: Arc::default(),
            stopping: Arc::default(),
            complete: Arc::default(),
        })))
    }

    /// The same server with another store for its requests; keys stay where they are.
    pub fn over(&self, store: Store) -> Self {
        Self(Arc::new(Parts { store, ..Parts::clone(&self.0) }))
    }

    /// From here on the server is no longer ready.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Notes that store and keys are available.
    pub fn note_complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }

    /// Whether store and keys have been available since the start.
    pub fn was_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// The issuer that answers under this origin; `None` when no tenant has the host.
    pub fn issuer(&self, origin: &Origin) -> Option<Issuer> {
        let snapshot = self.registry.current();
        let tenant = snapshot.tenant_by_host(origin.host())?.clone();
        let url = match &tenant.issuer {
            Some(fixed) => fixed.as_str().trim_end_matches('/').into(),
            None => format!("{}://{}", origin.scheme, self.declared_authority(&tenant, origin)).into(),
        };
        Some(self.issuer_as(url, tenant, snapshot))
    }

    /// Host and port of an origin that leads to `tenant`, as they are written into URLs.
    fn declared_authority<'a>(&'a self, tenant: &'a Tenant, origin: &'a Origin) -> &'a str {
        match &tenant.interceptor.domain {
            Some(login) => origin.declared(&[login, &self.settings.public_domain]),
            None => origin.declared(&[&self.settings.public_domain]),
        }
    }

    /// The issuer of a tenant under one of its names, for work outside a request.
    pub fn issuer_named(&self, tenant: &str, url: &str) -> Option<Issuer> {
        let snapshot = self.registry.current();
        let tenant = snapshot.tenant(tenant)?.clone();
        Some(self.issuer_as(url.into(), tenant, snapshot))
    }

    fn issuer_as(&self, url: Arc<str>, tenant: Arc<Tenant>, snapshot: Arc<Snapshot>) -> Issuer {
        Issuer {
            url,
            store: self.store.within(tenant.name.clone()),
            tenant,
            snapshot,
            services: self.services.clone(),
            caller: None,
        }
    }

    /// Counts the living sessions of each tenant, for the metrics; no request waits for it.
    pub async fn count_sessions(&self) {
        for tenant in self.registry.current().tenants() {
            // Outages are reported by the requests that they affect, and the figure stays what it was.
            let Ok(count) = self.store.within(tenant.name.clone()).count(&all_sessions()).await else { return };
            let gauge = self.services.metrics.sessions.get_or_create_owned(&OfTenant::named(&tenant.name));
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// The domain of the session cookie on this host; `None`: the host alone.
    pub fn cookie_domain(&self, host: &str) -> Option<String> {
        let snapshot = self.registry.current();
        let tenant = snapshot.tenant_by_host(host)?;
        let configured = self.settings.cookie_domain(host).or(tenant.interceptor.cookie.as_deref())?;
        // Browsers would refuse a domain that is not the host's own.
        Some(plain_domain(configured)).filter(|domain| covers(domain, host))
    }

    /// Every domain for which one of the tenant's hosts sets the session cookie and from which `host` may remove it.
    pub fn cookie_domains(&self, host: &str) -> Vec<String> {
        let snapshot = self.registry.current();
        let Some(tenant) = snapshot.tenant_by_host(host) else { return Vec::new() };
        let own = tenant.hosts.iter().filter_map(|pattern| self.settings.cookie_domain(&pattern.0));
        let all = own.chain(self.settings.cookie_domain(host)).chain(tenant.interceptor.cookie.as_deref());
        let mut domains: Vec<String> = all.map(plain_domain).filter(|domain| covers(domain, host)).collect();
        domains.sort();
        domains.dedup();
        domains
    }

    /// The origin of the page at which people of `tenant` sign in for applications behind a proxy. `scheme` is that of
    /// the application, for servers that do not know their own.
    pub fn login_origin(&self, tenant: &Tenant, scheme: &str) -> Option<Origin> {
        let scheme = if self.settings.secure || scheme == "https" { "https" } else { "http" };
        let domain = tenant.interceptor.domain.as_deref().unwrap_or(&self.settings.public_domain);
        Some(Origin { scheme, authority: canonical(domain, scheme)? })
    }
}

/// Operators write `*.example.com` for `example.com`.
fn plain_domain(written: &str) -> String {
    written.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase()
}

/// The secrets that seal, under the names by which replicas know who has them.
fn named(signing: &SigningSettings) -> Result<Vec<Configured>> {
    let name = |secret: &Secret| -> Result<String> {
        let names = Sealer::new(std::slice::from_ref(secret))?.names();
        names.into_iter().next().context("a secret has no name")
    };
    let secrets = signing.seal_secrets.iter();
    secrets.map(|secret| Ok(Configured { name: name(secret)?, secret: secret.clone() })).collect()
}

/// The host name of this machine or pod; `None` if the system does not know it.
fn host() -> Option<String> {
    let name =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| std::fs::read_to_string(path).ok())?;
    let name: String =
        name.trim().chars().take(64).filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).collect();
    (!name.is_empty()).then_some(name)
}
