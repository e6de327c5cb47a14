//! Custom resources: a cluster, the server that reads it, and somebody with `kubectl`.
//!
//! The stories of `resources.rs` also run against a real API server: give its file as `TEST_KUBECONFIG` (never that of a
//! cluster that somebody needs: what is there is deleted). Those of `bad_days.rs` need one that the test plays.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{DeleteParams, DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uitsmijter::login::script;
use uitsmijter::registry::Registry;
use uitsmijter::registry::file::Folder;
use uitsmijter::registry::kubernetes::Cluster;
use uitsmijter::registry::reload::Loader;
use uitsmijter::registry::resources::ResourceSettings;
use uitsmijter::server::resource_status::ResourceStatus;

use crate::harness::TestServer;
use crate::harness::api_server::ApiServer;

mod attacks;
mod bad_days;
mod definitions;
mod resources;
mod webhook;

/// How long something may take to be noticed; far more than it takes.
const SOON: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(300);

/// A server that reads a cluster.
struct World {
    /// Who plays the cluster, unless it is a real one.
    api: Option<ApiServer>,
    server: TestServer,
    loader: Arc<Loader>,
    registry: Registry,
    kubectl: Client,
    kubeconfig: PathBuf,
    folder: TempDir,
    tasks: JoinSet<()>,
    /// Who writes what is told of resources, replica by replica.
    statuses: Vec<Arc<ResourceStatus>>,
    /// A real cluster is for one story at a time.
    _turn: Option<MutexGuard<'static, ()>>,
}

static TURN: Mutex<()> = Mutex::const_new(());

impl World {
    /// With a cluster that may be a real one.
    async fn start() -> Self {
        match std::env::var_os("TEST_KUBECONFIG") {
            Some(path) => {
                let turn = TURN.lock().await;
                let mut world = Self::start_with(None, path.into(), None).await;
                world._turn = Some(turn);
                world.clear().await;
                world
            }
            None => Self::start_played().await,
        }
    }

    /// With one that the test plays.
    async fn start_played() -> Self {
        Self::start_with(Some(ApiServer::start().await), PathBuf::new(), None).await
    }

    /// With one that the test plays; only `namespace` is read.
    async fn start_scoped(namespace: &str) -> Self {
        Self::start_with(Some(ApiServer::start().await), PathBuf::new(), Some(namespace)).await
    }

    async fn start_with(api: Option<ApiServer>, kubeconfig: PathBuf, namespace: Option<&str>) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let folder = TempDir::new().unwrap();
        let kubeconfig = api.as_ref().map_or(kubeconfig, |api| played(&folder, api.port));
        let check = |source: &str| script::check(source).map(drop).map_err(|error| error.to_string());
        let loader = Arc::new(Loader::new(Folder::below(folder.path()), Arc::new(check), Vec::new()));
        let (snapshot, problems) = loader.load();
        let registry = Registry::new(snapshot, problems);
        registry.expect_more("nothing was listed yet".to_owned());
        let environment = [("SUPPORT_KUBERNETES_CRD", "true"), ("LOGIN_PROTECTION", "false")];
        let server = TestServer::start_over(registry.clone(), &environment, |_| {}).await;
        let config = Kubeconfig::read_from(&kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        let kubectl = Client::try_from(config).unwrap();
        let (tasks, statuses) = (JoinSet::new(), Vec::new());
        let mut world =
            Self { api, server, loader, registry, kubectl, kubeconfig, folder, tasks, statuses, _turn: None };
        let (loader, registry, app) = (world.loader.clone(), world.registry.clone(), world.server.app.clone());
        world.replica(namespace, loader, registry, app).await;
        world
    }

    /// Another server with the same store.
    async fn replica(
        &mut self,
        namespace: Option<&str>,
        loader: Arc<Loader>,
        registry: Registry,
        app: uitsmijter::app::App,
    ) {
        let settings = ResourceSettings {
            scoped: namespace.is_some(),
            namespace: namespace.map(str::to_owned),
            kubeconfig: Some(self.kubeconfig.clone()),
            secrets_every: TICK,
            status_every: TICK,
        };
        let cluster = Cluster::connect(&settings).await.unwrap();
        self.tasks.spawn(cluster.clone().follow(loader, registry.clone(), app.services.metrics.clone()));
        let status = Arc::new(ResourceStatus::new(app));
        self.statuses.push(status.clone());
        self.tasks.spawn(cluster.publish(registry, status));
    }

    /// A second server over the same store, with what it reads for itself.
    async fn second_replica(&mut self) {
        let registry = Registry::new(Default::default(), Vec::new());
        let folder = Folder::below(self.folder.path());
        let loader = Arc::new(Loader::new(folder, Arc::new(|_: &str| Ok(())), Vec::new()));
        let app = self.server.app.clone();
        self.replica(None, loader, registry, app).await;
    }

    fn api(&self) -> &ApiServer {
        self.api.as_ref().unwrap()
    }

    fn objects(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (group, version) = if kind == "Secret" { ("", "v1") } else { ("uitsmijter.io", "v1") };
        let plural = format!("{}s", kind.to_lowercase());
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural);
        Api::namespaced_with(self.kubectl.clone(), namespace, &resource)
    }

    /// `kubectl apply`
    async fn apply(&self, object: Value) {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let (namespace, name) = (object.metadata.namespace.clone().unwrap(), object.metadata.name.clone().unwrap());
        let kind = object.types.as_ref().unwrap().kind.clone();
        self.make_namespace(&namespace).await;
        let api = self.objects(&kind, &namespace);
        match api.get_opt(&name).await.unwrap() {
            None => drop(api.create(&PostParams::default(), &object).await.unwrap()),
            Some(old) => {
                let mut object = object;
                object.metadata.resource_version = old.metadata.resource_version;
                api.replace(&name, &PostParams::default(), &object).await.unwrap();
            }
        }
    }

    async fn make_namespace(&self, name: &str) {
        if self.api.is_none() {
            let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Namespace"), "namespaces");
            let api: Api<DynamicObject> = Api::all_with(self.kubectl.clone(), &kind);
            drop(api.create(&PostParams::default(), &DynamicObject::new(name, &kind)).await);
            // Two that are created in one second have the same age.
            sleep(Duration::from_millis(1100)).await;
        }
    }

    /// Removes what the story before left behind.
    async fn clear(&self) {
        for kind in ["Client", "Tenant"] {
            let plural = format!("{}s", kind.to_lowercase());
            let resource =
                ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("uitsmijter.io", "v1", kind), &plural);
            let all: Api<DynamicObject> = Api::all_with(self.kubectl.clone(), &resource);
            for left in all.list(&Default::default()).await.unwrap() {
                self.delete(kind, &left.metadata.namespace.unwrap(), &left.metadata.name.unwrap()).await;
            }
        }
    }

    /// `kubectl delete`
    async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        self.objects(kind, namespace).delete(name, &DeleteParams::default()).await.unwrap();
    }

    async fn status(&self, kind: &str, namespace: &str, name: &str) -> Value {
        let object = self.objects(kind, namespace).get(name).await.unwrap();
        object.data.get("status").cloned().unwrap_or_default()
    }

    /// Waits until the status of a resource has this phase and a message with this in it.
    async fn expect_status(&self, (kind, namespace, name): (&str, &str, &str), phase: &str, message: &str) -> Value {
        let end = Instant::now() + SOON;
        loop {
            let status = self.status(kind, namespace, name).await;
            let said = status["message"].as_str().unwrap_or_default();
            if status["phase"] == phase && said.contains(message) {
                return status;
            }
            assert!(Instant::now() < end, "{kind} {namespace}/{name} is to be {phase} with {message:?}: {status}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a host is served (200), or is not (404).
    async fn expect_host(&self, host: &str, code: u16) {
        let end = Instant::now() + SOON;
        loop {
            let answer = self.server.get_at(host, "/.well-known/openid-configuration").await;
            if answer.status == code {
                return;
            }
            assert!(
                Instant::now() < end,
                "{host} answers {}, not {code}: {:?}",
                answer.status,
                self.registry.problems()
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the server is ready.
    async fn expect_ready(&self) {
        let end = Instant::now() + SOON;
        loop {
            let answer = self.server.get("/health/ready").await;
            if answer.status == 200 {
                return;
            }
            assert!(Instant::now() < end, "{answer:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A file that says where a played API server is.
fn played(folder: &TempDir, port: u16) -> PathBuf {
    let path = folder.path().join("kubeconfig");
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "played",
        "clusters": [{ "name": "played", "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
        "contexts": [{ "name": "played", "context": { "cluster": "played", "user": "played", "namespace": "own" } }],
        "users": [{ "name": "played", "user": {} }],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

/// A tenant of `namespace` with that host.
fn tenant(namespace: &str, name: &str, host: &str) -> Value {
    tenant_with(namespace, name, json!({ "hosts": [host], "providers": ["class UserLoginProvider {}"] }))
}

fn tenant_with(namespace: &str, name: &str, spec: Value) -> Value {
    object("Tenant", namespace, name, spec)
}

/// A client of `namespace` with a secret in clear, which acts for itself.
fn client(namespace: &str, name: &str, tenant: &str) -> Value {
    client_with(namespace, name, tenant, json!({ "secret": "a secret in clear" }))
}

fn client_with(namespace: &str, name: &str, tenant: &str, more: Value) -> Value {
    let mut spec =
        json!({ "ident": name, "tenantname": tenant, "grant_types": ["client_credentials"], "scopes": ["read"] });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object("Client", namespace, name, spec)
}

fn secret(namespace: &str, name: &str, values: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "namespace": namespace, "name": name },
        "type": "Opaque",
        "data": values,
    })
}

fn object(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({ "namespace": namespace, "name": name });
    json!({ "apiVersion": "uitsmijter.io/v1", "kind": kind, "metadata": metadata, "spec": spec })
}
