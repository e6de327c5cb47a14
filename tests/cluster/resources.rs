//! The whole program reads tenants and clients from a real API server, with no more rights than the chart gives it.

use std::fs;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::api_server::{ApiServer, NAMESPACE, SERVICE_ACCOUNT};
use crate::chart::{define_what_others_bring, rendered};
use crate::configuration::SECRET;
use crate::port::free_port;
use crate::replica::Replica;

/// How long a change may take to be seen; a busy test machine needs extra time.
const SOON: Duration = Duration::from_secs(30);

/// The values of the chart.
const VALUES: &str = "config: { crd: { enabled: true, secrets: true } }\n";

/// A cluster with the chart installed, and the program that the chart's pods would run.
struct World {
    cluster: ApiServer,
    replica: Option<Replica>,
    webhook: u16,
    folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let cluster = ApiServer::start().await;
        define_what_others_bring(&cluster);
        let folder = tempfile::tempdir().expect("a temporary directory");
        let values = folder.path().join("values.yaml");
        fs::write(&values, VALUES).expect("a values file");
        // The webhook comes later: it would not be served yet.
        cluster.apply(&rendered(&values));
        cluster.kubectl(&["wait", "--for", "condition=Established", "--timeout=30s", "crd", "--all"]);
        let mut world = Self { cluster, replica: None, webhook: free_port(), folder };
        world.start_program().await;
        world
    }

    async fn start_program(&mut self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_uitsmijter"));
        command.args(["serve", "--webhook"]).env_clear().current_dir(&self.folder).envs([
            ("ENVIRONMENT", "production"),
            ("SECURE", "false"),
            ("SUPPORT_KUBERNETES_CRD", "true"),
            ("SIGNING_KEY_SECRET", "a secret of at least thirty-two bytes"),
            ("STORE_PATH", &path("store.redb")),
            ("DIRECTORY", &path("")),
            ("KUBECONFIG", &self.cluster.kubeconfig(SERVICE_ACCOUNT).display().to_string()),
            ("WEBHOOK_LISTEN", &format!("127.0.0.1:{}", self.webhook)),
            ("WEBHOOK_CERT_FILE", &self.cluster.file("server.pem").display().to_string()),
            ("WEBHOOK_KEY_FILE", &self.cluster.file("server.key").display().to_string()),
        ]);
        let mut replica = Replica::spawn(command, self.folder.path().join("log"));
        assert!(replica.becomes_ready().await, "{}", replica.log());
        self.replica = Some(replica);
    }

    fn replica(&self) -> &Replica {
        self.replica.as_ref().expect("the program runs")
    }

    /// Waits until the status of a resource has this phase, and a message with this in it.
    async fn expect_status(&self, kind: &str, name: &str, phase: &str, message: &str) {
        let began = Instant::now();
        loop {
            let status = &self.cluster.object(kind, name)["status"];
            let said = status["message"].as_str().unwrap_or_default();
            if status["phase"] == phase && said.contains(message) {
                return;
            }
            assert!(began.elapsed() < SOON, "{kind} {name} is to be {phase} with {message:?}: {status}");
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until the client of the tenant at `host` gets a token, or no longer does.
    async fn expect_tokens(&self, host: &str, expected: bool) {
        let began = Instant::now();
        while self.replica().try_token(host).await.is_ok() != expected {
            assert!(began.elapsed() < SOON, "tokens at {host}: {expected} was expected");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Makes the API server validate each tenant and client with the program, as the chart does; here the program is
    /// not a pod behind a Service.
    fn install_webhook(&self) {
        let authority = STANDARD.encode(fs::read(self.cluster.file("ca.pem")).expect("the authority"));
        let values = self.folder.path().join("webhook.yaml");
        let webhook = format!("webhook: {{ enabled: true, failurePolicy: Fail, caBundle: {authority} }}\n");
        fs::write(&values, format!("{VALUES}{webhook}")).expect("a values file");
        let chart = rendered(&values);
        let configuration =
            chart.split("\n---").find(|document| document.contains("kind: ValidatingWebhookConfiguration"));
        let configuration = configuration.expect("the chart has the webhook");
        let mut configuration: Value = yaml_serde::from_str(configuration).expect("YAML");
        let client = &mut configuration["webhooks"][0]["clientConfig"];
        assert_eq!(client["service"]["path"], "/validate");
        client.as_object_mut().expect("an object").remove("service");
        client["url"] = format!("https://localhost:{}/validate", self.webhook).into();
        self.cluster.apply(&configuration.to_string());
    }

    /// How often the API server was asked to store a status.
    fn statuses_written(&self) -> u64 {
        let metrics = self.cluster.kubectl(&["get", "--raw", "/metrics"]);
        let of_statuses = |line: &&str| {
            line.starts_with("apiserver_request_total{")
                && [r#"group="uitsmijter.io""#, r#"subresource="status""#, r#"verb="PATCH""#]
                    .iter()
                    .all(|label| line.contains(label))
        };
        let counts =
            metrics.lines().filter(of_statuses).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        counts.sum()
    }

    /// Applies a document that the webhook must refuse, with these words.
    async fn expect_refusal(&self, document: &str, words: &str) {
        let began = Instant::now();
        loop {
            let Output { status, stderr, .. } = self.cluster.try_apply(document);
            let said = String::from_utf8_lossy(&stderr).into_owned();
            if !status.success() && said.contains(words) {
                return;
            }
            // The API server takes a moment to notice a webhook.
            assert!(began.elapsed() < SOON, "{words:?} was expected: {said}");
            sleep(Duration::from_millis(500)).await;
        }
    }
}

fn tenant(name: &str, host: &str, more: &str) -> String {
    format!(
        "apiVersion: uitsmijter.io/v1\nkind: Tenant\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
         spec:\n  hosts: [{host}]\n{more}"
    )
}

/// The client `name` of the tenant `name`, with its secret in a Secret.
fn client(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\nstringData: {{password: \"{SECRET}\"}}\n\
         ---\napiVersion: uitsmijter.io/v1\nkind: Client\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
         spec:\n  ident: {name}\n  tenantname: {NAMESPACE}/{name}\n  secretRef: {{name: {name}, key: password}}\n  \
         grant_types: [client_credentials]\n  scopes: [\"orders:*\"]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn applied_resources_are_served_and_report_it_while_requests_go_on() {
    let mut world = World::start().await;
    world.cluster.apply(&tenant("acme", "acme.test", ""));
    world.cluster.apply(&client("acme"));
    world.expect_tokens("acme.test", true).await;
    world.expect_status("tenant", "acme", "Ready", "").await;
    world.expect_status("client", "acme", "Ready", "").await;
    let table = world.cluster.kubectl(&["get", "tenants", "--namespace", NAMESPACE]);
    assert!(table.starts_with("NAME") && table.contains("STATUS") && table.contains("CLIENTS"), "{table}");

    // Requests run all the time from here on.
    let replica = Arc::new(world.replica.take().expect("the program runs"));
    let done = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(ask(replica.clone(), done.clone()));
    world.replica = None;
    let began = Instant::now();
    let seen = async |host: &str, expected: bool| {
        while replica.get(host, "/.well-known/jwks.json").await.status.is_success() != expected {
            assert!(began.elapsed() < 4 * SOON, "{host} served: {expected} was expected");
            sleep(Duration::from_millis(100)).await;
        }
    };
    world.cluster.apply(&tenant("globex", "globex.test", ""));
    seen("globex.test", true).await;
    world.cluster.apply(&tenant("globex", "globex.test", "  providers: [\"class {\"]\n"));
    world.expect_status("tenant", "globex", "Error", "the last good version").await;
    seen("globex.test", true).await;
    // Meanwhile clients come, change, break and go, too.
    let token_at_globex = async |expected: bool| {
        while replica.try_token("globex.test").await.is_ok() != expected {
            assert!(began.elapsed() < 4 * SOON, "tokens at globex.test: {expected} was expected");
            sleep(Duration::from_millis(100)).await;
        }
    };
    world.cluster.apply(&client("globex"));
    token_at_globex(true).await;
    let broken = client("globex").replace("grant_types: [client_credentials]", "grant_types: [everything]");
    world.cluster.apply(&broken);
    world.expect_status("client", "globex", "Error", "the last good version").await;
    token_at_globex(true).await;
    world.cluster.apply(&client("globex").replace("ident: globex", "ident: other"));
    token_at_globex(false).await;
    world.cluster.apply(&client("globex"));
    token_at_globex(true).await;
    world.cluster.kubectl(&["delete", "client", "globex", "--namespace", NAMESPACE]);
    token_at_globex(false).await;
    world.cluster.apply(&tenant("initech", "acme.test", ""));
    world.expect_status("tenant", "initech", "Error", "already leads to").await;
    world.cluster.apply(&tenant("globex", "www.globex.test", ""));
    seen("globex.test", false).await;
    seen("www.globex.test", true).await;
    // An upgrade of the control plane: what is served stays, and what changes afterwards is seen.
    world.cluster.restart().await;
    world.cluster.kubectl(&["delete", "tenant", "globex", "--namespace", NAMESPACE]);
    seen("www.globex.test", false).await;
    // A status is written once: after the last change only counts are written.
    let written = world.statuses_written();
    sleep(Duration::from_secs(3)).await;
    let more = world.statuses_written() - written;
    assert!(written < 60 && more <= 4, "{written} statuses were written, and {more} more while nothing happened");
    done.store(true, Ordering::Relaxed);
    let asked = asking.await.expect("no request failed");
    println!("{asked} tokens while tenants came, broke, changed and went, and the API server restarted: 0 failed");

    world.replica = Arc::into_inner(replica);
    world.cluster.kubectl(&["delete", "client", "acme", "--namespace", NAMESPACE]);
    world.expect_tokens("acme.test", false).await;
}

/// Asks for tokens; a request that fails fails the test.
async fn ask(replica: Arc<Replica>, done: Arc<AtomicBool>) -> usize {
    let mut asked = 0;
    while !done.load(Ordering::Relaxed) {
        replica.token("acme.test").await;
        asked += 1;
        sleep(Duration::from_millis(20)).await;
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_refuses_with_the_sentence_of_check_what_would_not_be_served() {
    let world = World::start().await;
    world.cluster.apply(&tenant("acme", "acme.test", ""));
    world.expect_status("tenant", "acme", "Ready", "").await;
    world.install_webhook();
    world.expect_refusal(&tenant("broken", "broken.test", "  providers: [\"class {\"]\n"), "providers").await;
    world.expect_refusal(&tenant("second", "acme.test", ""), "already leads to").await;
    world
        .expect_refusal(
            &client("nobody").replace("grant_types: [client_credentials]", "grant_types: [everything]"),
            "everything",
        )
        .await;
    // A client and its tenant pass in one command in either order.
    for (name, documents) in [
        ("before", [client("before"), tenant("before", "before.test", "")]),
        ("after", [tenant("after", "after.test", ""), client("after")]),
    ] {
        world.cluster.apply(&documents.join("---\n"));
        world.expect_status("client", name, "Ready", "").await;
    }
    world.cluster.kubectl(&["delete", "tenant", "before", "after", "--namespace", NAMESPACE]);
    // Valid resources pass, and so does what the program itself writes: the status.
    world.cluster.apply(&tenant("globex", "globex.test", ""));
    world.expect_status("tenant", "globex", "Ready", "").await;
    let left = world.cluster.kubectl(&["get", "tenants", "--namespace", NAMESPACE, "--output", "name"]);
    assert_eq!(left.lines().count(), 2, "{left}");
}
