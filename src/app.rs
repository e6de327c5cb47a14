//! Every long-lived part, once.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};

use crate::client::declared::DeclaredClients;
use crate::clock::Clock;
use crate::document::kept_metadata::KeptMetadata;
use crate::issuer::{Issuer, Services};
use crate::key::signer_manager::{Extras, SignerManager};
use crate::login::people::LoginProvider;
use crate::metrics::Metrics;
use crate::origin::{Origin, canonical, covers};
use crate::outgoing::Outgoing;
use crate::outgoing::client::Policy;
use crate::outgoing::client_keys::PublishedClientKeys;
use crate::page::Pages;
use crate::page::views::Views;
use crate::random::{Random, Series};
use crate::registry::tenant::Tenant;
use crate::registry::{Registry, Snapshot};
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::token::pass::Passes;
use crate::turned_away::TurnedAway;

/// The server without its socket. Cheap to clone, which happens several times per request; tests build a real one with
/// their own clock and chance.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] consists of.
#[derive(Clone)]
pub struct Parts {
    /// What the process was told.
    pub settings: Arc<Settings>,
    /// What operators declare.
    pub registry: Registry,
    /// What outlives a request.
    pub store: Store,
    /// What all issuers share.
    pub services: Arc<Services>,
    /// What applications behind proxies get to see of the people.
    pub passes: Passes,
    /// What clients read of the server.
    pub metadata: KeptMetadata,
    /// What people see where no tenant has templates of its own.
    pub pages: Pages,
    /// What people see of tenants that have.
    pub views: Views,
    /// What requests are called that come without a name.
    pub request_ids: Arc<Series>,
    /// Which hosts nobody is served at.
    pub turned_away: TurnedAway,
    /// The password of the demo's person, where there is a demo; shown on purpose.
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
    /// Opens the store and readies everything. Starts no task and listens to nothing.
    pub async fn open(
        settings: Settings,
        registry: Registry,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        let backend = store::open(&settings.store_settings(), clock.clone()).await?;
        let store = Store::new(backend, clock.clone());
        let metrics = Metrics::default();
        let extras = Extras { metrics: metrics.clone(), host: host() };
        let signing = settings.signing_settings();
        let keys = SignerManager::open_with(store.clone(), signing, clock.clone(), random.clone(), extras)
            .await
            .context("the signing keys cannot be used")?;
        let outgoing = Outgoing::new(Policy::of_strangers(settings.allow_private_addresses));
        let pages = Pages::new()?;
        let views = Views::below(&settings.directory, pages.clone(), metrics.clone());
        let first = views.clone();
        tokio::task::spawn_blocking(move || first.reload()).await??;
        let request_ids = Arc::new(Series::new(random.as_ref()));
        let services = Services {
            login: LoginProvider::new(settings.script_limits(), settings.allow_missing_providers),
            clients: Arc::new(DeclaredClients),
            keys,
            metrics,
            client_keys: PublishedClientKeys::new(outgoing.clone()),
            outgoing,
            clock,
            random,
            lifetimes: settings.lifetimes,
            documents_max_age: settings.signing.jwks_max_age,
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
            demo_password: Arc::default(),
            stopping: Arc::default(),
            complete: Arc::default(),
        })))
    }

    /// The same server, whose requests remember in another store; keys stay where they are.
    pub fn over(&self, store: Store) -> Self {
        Self(Arc::new(Parts { store, ..Parts::clone(&self.0) }))
    }

    /// From here on the server is not ready any more.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Notes that store and keys are there.
    pub fn note_complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }

    /// Whether store and keys have been there since the start.
    pub fn was_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// The issuer that answers under this origin; `None` when no tenant has the host.
    pub fn issuer(&self, origin: &Origin) -> Option<Issuer> {
        let snapshot = self.registry.current();
        let tenant = snapshot.tenant_by_host(origin.host())?.clone();
        let url = match &tenant.issuer {
            Some(fixed) => fixed.as_str().trim_end_matches('/').into(),
            None => format!("{}://{}", origin.scheme, origin.authority).into(),
        };
        Some(self.issuer_as(url, tenant, snapshot))
    }

    /// The issuer of a tenant under one of its names, where there is no request that says which.
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

    /// The domain for which the session's cookie is set on this host; `None`: for the host alone.
    pub fn cookie_domain(&self, host: &str) -> Option<String> {
        let snapshot = self.registry.current();
        let tenant = snapshot.tenant_by_host(host)?;
        let configured = self.settings.cookie_domain(host).or(tenant.interceptor.cookie.as_deref())?;
        // A domain that is not the host's own would be refused by browsers.
        Some(plain_domain(configured)).filter(|domain| covers(domain, host))
    }

    /// Every domain for which one of the tenant's hosts sets the session's cookie, and `host` may remove it.
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

    /// The origin of the page at which people of `tenant` sign in for applications behind a proxy. `scheme` is the one
    /// of the application, for servers that do not know their own.
    pub fn login_origin(&self, tenant: &Tenant, scheme: &str) -> Option<Origin> {
        let scheme = if self.settings.secure || scheme == "https" { "https" } else { "http" };
        let domain = tenant.interceptor.domain.as_deref().unwrap_or(&self.settings.public_domain);
        Some(Origin { scheme, authority: canonical(domain, scheme)? })
    }
}

/// `*.example.com` is how operators write `example.com`.
fn plain_domain(written: &str) -> String {
    written.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase()
}

/// What this machine, or the pod, calls itself; `None` where the system does not say.
fn host() -> Option<String> {
    let name =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| std::fs::read_to_string(path).ok())?;
    let name: String =
        name.trim().chars().take(64).filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).collect();
    (!name.is_empty()).then_some(name)
}
