//! The server as the clients of one tenant see it: the context of every rule.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, Timestamp};
use crate::key::{SignerManager, TenantSigner, TenantSigning};
use crate::logged_name::LoggedNames;
use crate::login::Ledger;
use crate::login::client_secret::SecretChecker;
use crate::login::people::LoginProvider;
use crate::login::throttle::ThrottlePolicy;
use crate::metrics::{Counters, Metrics, OfTenant, PerTenant};
use crate::outgoing::Outgoing;
use crate::outgoing::client_keys::PublishedClientKeys;
use crate::protocol::error::Result;
use crate::random::Random;
use crate::registry::Snapshot;
use crate::registry::client::Client;
use crate::registry::tenant::Tenant;
use crate::sealing::Sealing;
use crate::session::crowd::Crowds;
use crate::store::Store;

/// A family of refresh tokens in constant use without a cap: ten years.
const UNCAPPED: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Default lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Access and ID tokens.
    pub access_token: Duration,
    /// An unused refresh token.
    pub refresh_token: Duration,
    /// A family of refresh tokens, even in constant use; `None`: without a cap.
    pub refresh_absolute: Option<Duration>,
    /// A single sign-on session.
    pub session: Duration,
}

impl Lifetimes {
    /// How long a family of refresh tokens can live.
    pub fn of_family(&self) -> Duration {
        self.refresh_absolute.unwrap_or(UNCAPPED)
    }
}

/// Looks up the clients of a tenant.
#[async_trait]
pub trait Clients: Send + Sync {
    /// The client of the issuer's tenant with this id.
    ///
    /// Errors: [`crate::protocol::error::Unavailable`] when the source of clients cannot answer now.
    async fn find(&self, issuer: &Issuer, client_id: &str) -> anyhow::Result<Option<Arc<Client>>>;
}

/// What the issuers of all tenants share. A request takes one reference to all of it.
#[derive(Clone)]
pub struct Services {
    /// Authenticates people.
    pub login: LoginProvider,
    /// How user names that led to no sign-in are logged.
    pub logged_names: LoggedNames,
    /// Compares client secrets.
    pub client_secrets: SecretChecker,
    /// Looks up clients.
    pub clients: Arc<dyn Clients>,
    /// Signs tokens.
    pub keys: SignerManager,
    /// Seals what browsers carry.
    pub sealing: Arc<Sealing>,
    /// The metrics.
    pub metrics: Metrics,
    /// The keys that clients publish.
    pub client_keys: PublishedClientKeys,
    /// Requests to clients.
    pub outgoing: Outgoing,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Default lifetimes.
    pub lifetimes: Lifetimes,
    /// Whether a page is shown before a silent answer to a native client (RFC 8252 §8.6).
    pub confirm_native: bool,
    /// How many sessions a person may have.
    pub crowds: Arc<Crowds>,
    /// How long published keys and metadata may be cached.
    pub documents_max_age: Duration,
    /// The throttling of password guesses.
    pub throttle: ThrottlePolicy,
}

/// One tenant at one moment. A request takes it once and keeps it.
#[derive(Clone)]
pub struct Issuer {
    /// `iss`: scheme, host and port, without a slash at the end.
    pub url: Arc<str>,
    /// The tenant that has the requested host.
    pub tenant: Arc<Tenant>,
    /// All tenants and clients as of this request.
    pub snapshot: Arc<Snapshot>,
    /// The tenant's namespace in the store.
    pub store: Store,
    /// Shared with the issuers of all tenants.
    pub services: Arc<Services>,
    /// The address of the caller, if known.
    pub caller: Option<IpAddr>,
}

impl Issuer {
    /// The present.
    pub fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    /// Counts one more for the tenant.
    pub fn count(&self, counter: impl Fn(&Counters) -> &PerTenant) {
        counter(&self.services.metrics).get_or_create(&OfTenant::named(&self.tenant.name)).inc();
    }

    /// Where wrong guesses at this tenant are counted.
    pub fn ledger(&self) -> Ledger<'_> {
        Ledger { store: &self.store, tenants: self.snapshot.tenant_count(), now: self.now() }
    }

    /// The absolute URL of a path of this server.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The signer of the tenant; its key is created on first use.
    pub async fn signer(&self) -> Result<Arc<TenantSigner>> {
        Ok(signer(&self.services.keys, &self.tenant).await?)
    }

    /// Whether `iss` is an issuer of this tenant's tokens: that of this request, the fixed one, or that of another of
    /// its hosts.
    pub fn is_own(&self, iss: &str) -> bool {
        let fixed = self.tenant.issuer.as_ref().is_some_and(|url| url.as_str().trim_end_matches('/') == iss);
        let host = url::Url::parse(iss).ok().and_then(|url| url.host_str().map(str::to_owned));
        iss == &*self.url || fixed || host.is_some_and(|host| self.serves_host(&host))
    }

    /// Whether `host` leads to this tenant.
    pub fn serves_host(&self, host: &str) -> bool {
        self.snapshot.tenant_by_host(host).is_some_and(|tenant| tenant.name == self.tenant.name)
    }

    /// The client with this id, if it belongs to this tenant.
    pub async fn client(&self, client_id: &str) -> Result<Option<Arc<Client>>> {
        Ok(self.services.clients.find(self, client_id).await?)
    }

    /// Whether both ids name the same client: the registry decides how ids of declared clients are compared.
    pub fn is_same_client(&self, one: &str, other: &str) -> bool {
        let ident = |id| self.snapshot.client(&self.tenant.name, id).map(|client| &client.ident);
        one == other || ident(one).is_some_and(|known| ident(other) == Some(known))
    }

    /// The lifetime of this client's access tokens.
    pub fn access_token_lifetime(&self, client: &Client) -> Duration {
        client.access_token_lifetime.unwrap_or(self.services.lifetimes.access_token)
    }

    /// The lifetime of this client's unused refresh tokens.
    pub fn refresh_token_lifetime(&self, client: &Client) -> Duration {
        client.refresh_token_lifetime.unwrap_or(self.services.lifetimes.refresh_token)
    }
}

/// The signer of `tenant`; its key is created on first use.
pub async fn signer(keys: &SignerManager, tenant: &Tenant) -> anyhow::Result<Arc<TenantSigner>> {
    keys.tenant(&TenantSigning::of(tenant)).await
}

/// The same, but creates no key: `None` for a tenant without one.
pub async fn signer_with_keys(keys: &SignerManager, tenant: &Tenant) -> anyhow::Result<Option<Arc<TenantSigner>>> {
    if keys.has_keys(&tenant.name).await? { signer(keys, tenant).await.map(Some) } else { Ok(None) }
}
