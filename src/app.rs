//! Every long-lived part, once.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::clock::Clock;
use crate::issuer::{Issuer, Lifetimes};
use crate::key::older_redis::OlderRedis;
use crate::key::signer_manager::{Extras, SignerManager};
use crate::login::provider::LoginProvider;
use crate::metrics::Metrics;
use crate::random::Random;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::web::forwarded::Origin;
use crate::web::pages::Pages;

/// A family of refresh tokens that is used all the time and has no cap: ten years.
const UNCAPPED: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The server without its socket. Cheap to clone, which happens several times per request; tests build a real one with
/// their own clock and chance.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] consists of.
pub struct Parts {
    /// What the process was told.
    pub settings: Arc<Settings>,
    /// What operators declare.
    pub registry: Registry,
    /// What outlives a request.
    pub store: Store,
    /// Who signs.
    pub keys: SignerManager,
    /// Who knows the people.
    pub login: LoginProvider,
    /// What people see.
    pub pages: Pages,
    /// What is counted.
    pub metrics: Metrics,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// The password of the demo's person, where there is a demo; shown on purpose.
    pub demo_password: OnceLock<Arc<str>>,
    lifetimes: Lifetimes,
    stopping: AtomicBool,
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
        let extras = Extras { metrics: metrics.clone(), older_keys: Some(Arc::new(OlderRedis(store.clone()))) };
        let signing = settings.signing_settings();
        let keys = SignerManager::open_with(store.clone(), signing, clock.clone(), random.clone(), extras)
            .await
            .context("the signing keys cannot be used")?;
        Ok(Self(Arc::new(Parts {
            login: LoginProvider::new(settings.script_limits(), settings.allow_missing_providers),
            pages: Pages::new()?,
            lifetimes: Lifetimes {
                access_token: settings.lifetimes.access_token,
                refresh_token: settings.lifetimes.refresh_token,
                refresh_absolute: settings.lifetimes.refresh_absolute.unwrap_or(UNCAPPED),
                session: settings.lifetimes.session,
                documents: settings.signing.jwks_max_age,
            },
            demo_password: OnceLock::new(),
            stopping: AtomicBool::default(),
            settings: Arc::new(settings),
            registry,
            store,
            keys,
            metrics,
            clock,
            random,
        })))
    }

    /// From here on the server is not ready any more.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The issuer that answers under this origin; `None` when no tenant has the host.
    pub fn issuer(&self, origin: &Origin) -> Option<Issuer> {
        let snapshot = self.registry.current();
        let tenant = snapshot.tenant_by_host(origin.host())?.clone();
        let url = match &tenant.issuer {
            Some(fixed) => fixed.as_str().trim_end_matches('/').into(),
            None => format!("{}://{}", origin.scheme, origin.authority).into(),
        };
        Some(Issuer {
            url,
            store: self.store.within(&tenant.name),
            tenant,
            snapshot,
            login: self.login.clone(),
            keys: self.keys.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            lifetimes: self.lifetimes,
        })
    }

    /// The domain for which the session's cookie is set on this host; `None`: for the host alone.
    pub fn cookie_domain(&self, host: &str) -> Option<String> {
        let snapshot = self.registry.current();
        let tenant = snapshot.tenant_by_host(host)?;
        let configured = self.settings.cookie_domain(host).or(tenant.interceptor.cookie.as_deref())?;
        // `*.example.com` is how operators write it. A domain that is not the host's own would be refused by browsers.
        let domain = configured.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
        let covers = host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'));
        covers.then_some(domain)
    }
}
