//! The connection to an API server, and the loop that keeps the registry in step with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tower::limit::RateLimitLayer;

use super::news::News;
use super::object::{self, Object};
use super::secrets::SecretReader;
use super::seen::{Key, Seen};
use super::watch;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::registry::document::{Document, Kind};
use crate::registry::reload::Loader;
use crate::registry::resources::ResourceSettings;

/// Changes that follow each other this closely are read together.
const SETTLE: Duration = Duration::from_millis(50);
/// The longest wait while changes go on and on.
const SETTLE_AT_MOST: Duration = Duration::from_secs(1);
/// Lists and watches in ten seconds, both kinds together: an API server that ends every watch at once is not flooded.
const REQUESTS_IN_TEN_SECONDS: u64 = 60;
/// How long the API server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection to the API server, and what it told so far. Cheap to clone; all clones share both.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// The same API server, slowed down.
    watching: Client,
    namespace: Option<String>,
    pub(super) settings: ResourceSettings,
    seen: Arc<Mutex<Seen>>,
    /// The number of times that the registry took what was seen.
    pub(super) taken: Arc<channel::Sender<u64>>,
}

impl Cluster {
    /// Finds the API server. Asks it nothing yet.
    ///
    /// Errors: nothing says where it is.
    pub async fn connect(settings: &ResourceSettings) -> Result<Self> {
        let mut config = configuration(settings).await?;
        config.connect_timeout = Some(CONNECT);
        // Each caller decides how to go on, and says why it waits.
        config.default_retry = false;
        let namespace = settings.scoped.then(|| {
            let own = || config.default_namespace.clone();
            settings.namespace.clone().unwrap_or_else(own)
        });
        let cannot = "the API server cannot be spoken to with these credentials";
        let pace = RateLimitLayer::new(REQUESTS_IN_TEN_SECONDS, Duration::from_secs(10));
        Ok(Self {
            client: Client::try_from(config.clone()).context(cannot)?,
            watching: ClientBuilder::try_from(config).context(cannot)?.with_layer(&pace).build(),
            namespace,
            settings: settings.clone(),
            seen: Arc::default(),
            taken: Arc::new(channel::Sender::new(0)),
        })
    }

    /// Lists everything once, the first created first.
    ///
    /// Errors: the API server does not answer, or does not let us.
    pub async fn read(&self) -> Result<Vec<Document>> {
        for kind in [Kind::Tenant, Kind::Client] {
            let listed = self.api(&self.client, kind).list(&Default::default()).await;
            let listed = listed.map_err(|error| anyhow::anyhow!(watch::reason(kind, &error)))?;
            self.seen().learn(News::Listed(kind, listed.items));
        }
        self.read_secrets(&SecretReader::new(self.client.clone())).await;
        Ok(self.seen().documents())
    }

    /// Keeps `registry` in step with the cluster for as long as the future is polled.
    ///
    /// Until both kinds have been listed once, [`Registry::missing`] says what is waited for. After that the last
    /// good state is kept whenever the API server is away.
    pub async fn follow(self, loader: Arc<Loader>, registry: Registry, metrics: Metrics) {
        let (sender, mut news) = mpsc::channel(1024);
        let mut watches = JoinSet::new();
        for kind in [Kind::Tenant, Kind::Client] {
            let failures = metrics.cluster_failures.clone();
            watches.spawn(watch::follow(self.api(&self.watching, kind), kind, sender.clone(), failures));
        }
        let secrets = SecretReader::new(self.client.clone());
        let mut again = interval(self.settings.secrets_every);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Apart from the loop: one Secret that the API server does not answer for must not hold up changes.
        let mut reading = JoinSet::new();
        loop {
            let by_clock = tokio::select! {
                first = news.recv() => {
                    let Some(first) = first else { return };
                    let changed = self.learn(first, &mut news).await;
                    let unlisted = self.seen().unlisted();
                    if unlisted.is_none() && !changed {
                        continue;
                    }
                    if let Some(reason) = unlisted {
                        registry.expect_more(reason);
                        continue;
                    }
                    // Waited for, once: a client without its secret would refuse everybody.
                    self.read_secrets(&secrets).await;
                    false
                }
                Some(read) = reading.join_next() => {
                    self.seen().put_secrets(read.unwrap_or_default());
                    true
                }
                _ = again.tick(), if reading.is_empty() => {
                    let wanted = self.seen().wanted_secrets(true);
                    if !wanted.is_empty() {
                        reading.spawn(secrets.clone().read(wanted));
                    }
                    continue;
                }
            };
            self.take(&loader, &registry, by_clock).await;
        }
    }

    /// Gives `registry` what was seen. `by_clock`: only Secrets may have changed.
    async fn take(&self, loader: &Arc<Loader>, registry: &Registry, by_clock: bool) {
        if self.seen().unlisted().is_some() {
            return;
        }
        let documents = self.seen().documents();
        let (loader, taker) = (loader.clone(), registry.clone());
        let changed = match tokio::task::spawn_blocking(move || loader.take(documents, &taker)).await {
            Ok(changed) => changed,
            Err(error) => {
                tracing::error!(%error, "taking in custom resources failed; the last good state stays");
                return;
            }
        };
        self.seen().taken();
        if registry.missing().is_some() {
            registry.complete();
            let snapshot = registry.current();
            let (tenants, clients) = (snapshot.tenant_count(), snapshot.client_count());
            tracing::info!(tenants, clients, "custom resources were listed");
            if tenants == 0 {
                tracing::warn!("there is no tenant yet: nobody is served until one is declared");
            }
        }
        if changed || !by_clock {
            self.taken.send_modify(|taken| *taken += 1);
        }
    }

    /// Learns `first` and what follows it closely; says whether a document changed.
    async fn learn(&self, first: News, news: &mut mpsc::Receiver<News>) -> bool {
        let mut changed = self.seen().learn(first);
        let end = Instant::now() + SETTLE_AT_MOST;
        while let Ok(Some(next)) = timeout_at(end.min(Instant::now() + SETTLE), news.recv()).await {
            changed |= self.seen().learn(next);
        }
        changed
    }

    /// Reads the Secrets that are named and not known yet.
    async fn read_secrets(&self, reader: &SecretReader) {
        let wanted = self.seen().wanted_secrets(false);
        let read = reader.clone().read(wanted).await;
        self.seen().put_secrets(read);
    }

    fn api(&self, client: &Client, kind: Kind) -> Api<Object> {
        let resource = object::resource(kind);
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        }
    }

    /// The resources of the namespace in which one lies.
    pub(super) fn api_of(&self, key: &Key) -> Api<Object> {
        Api::namespaced_with(self.client.clone(), &key.namespace, &object::resource(key.kind))
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn configuration(settings: &ResourceSettings) -> Result<Config> {
    if let Some(path) = &settings.kubeconfig {
        let cannot = || format!("the file {} does not say how to reach the API server", path.display());
        let written = Kubeconfig::read_from(path).with_context(cannot)?;
        return Config::from_custom_kubeconfig(written, &KubeConfigOptions::default()).await.with_context(cannot);
    }
    Config::infer().await.context(
        "SUPPORT_KUBERNETES_CRD is true, but nothing says where the API server is: run it in a pod with a service account \
         token, or set KUBECONFIG",
    )
}
