//! etcd and kube-apiserver as processes of their own, and `kubectl` to talk to them.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::port::free_port;
use crate::redis::certificates;

const MISSING: &str = "run tests/cluster/install.sh, which installs what these tests need";
/// How long both may take to be ready together; a busy machine needs a while to fill an empty etcd.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// The user with all rights.
pub(crate) const ADMINISTRATOR: &str = "administrator";
/// The user with the rights of the chart's roles, by the name of the chart's service account.
pub(crate) const SERVICE_ACCOUNT: &str = "service-account";
/// The namespace into which the chart is installed.
pub(crate) const NAMESPACE: &str = "sso";

/// A cluster without nodes: everything that the API server does, and nothing that runs a pod.
pub(crate) struct ApiServer {
    folder: TempDir,
    port: u16,
    etcd: Process,
    server: Option<Process>,
}

struct Process(Child);

impl ApiServer {
    /// Starts both with an empty etcd, and makes the namespace [`NAMESPACE`].
    pub(crate) async fn start() -> Self {
        let folder = certificates();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file in our folder");
        write(
            "tokens.csv",
            &format!(
                "{ADMINISTRATOR},admin,1,system:masters\n\
                 {SERVICE_ACCOUNT},system:serviceaccount:{NAMESPACE}:uitsmijter,2,system:serviceaccounts\n"
            ),
        );
        let (port, etcd_port) = (free_port(), free_port());
        for user in [ADMINISTRATOR, SERVICE_ACCOUNT] {
            write(&format!("{user}.kubeconfig"), &kubeconfig(&folder.path().join("ca.pem"), port, user));
        }
        let etcd = start_etcd(folder.path(), etcd_port);
        write("etcd", &format!("http://127.0.0.1:{etcd_port}"));
        let mut cluster = Self { folder, port, etcd, server: None };
        cluster.restart().await;
        cluster.kubectl(&["create", "namespace", NAMESPACE]);
        cluster
    }

    /// The configuration with which a program speaks to it as `user`.
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.file(&format!("{user}.kubeconfig"))
    }

    /// A file in its folder: `ca.pem`, and `server.pem` with `server.key` for `localhost`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ends the API server, as an upgrade of the control plane does. etcd keeps what there is.
    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    /// Starts the API server where it was.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        let path = self.folder.path();
        let file = |name: &str| path.join(name).display().to_string();
        let etcd = fs::read_to_string(path.join("etcd")).expect("the address of etcd");
        let mut command = Command::new(program("kube-apiserver"));
        command.args([
            "--bind-address=127.0.0.1",
            "--authorization-mode=RBAC",
            // No controller runs that would make the tokens this one waits for.
            "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
        ]);
        command.args([
            format!("--secure-port={}", self.port),
            format!("--etcd-servers={etcd}"),
            format!("--token-auth-file={}", file("tokens.csv")),
            format!("--tls-cert-file={}", file("server.pem")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--service-account-signing-key-file={}", file("server.key")),
            format!("--service-account-key-file={}", file("server.key")),
            format!("--cert-dir={}", file("apiserver")),
        ]);
        self.server = Some(Process::start(command, &path.join("apiserver.log")));
        let began = Instant::now();
        while !self.try_kubectl(&["get", "--raw", "/readyz"], None).status.success() {
            let ended = self.server.as_mut().and_then(|server| server.0.try_wait().ok().flatten());
            assert!(ended.is_none() && began.elapsed() < READY_WITHIN, "kube-apiserver did not get ready");
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// The output of `kubectl`; it must succeed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        expect_success(arguments, &self.try_kubectl(arguments, None))
    }

    /// `kubectl apply` of these documents; they must be accepted.
    pub(crate) fn apply(&self, documents: &str) -> String {
        expect_success(&["apply"], &self.try_apply(documents))
    }

    /// The same, with any outcome.
    pub(crate) fn try_apply(&self, documents: &str) -> Output {
        self.try_kubectl(&["apply", "--filename", "-"], Some(documents))
    }

    /// An object as JSON.
    pub(crate) fn object(&self, kind: &str, name: &str) -> Value {
        let printed = self.kubectl(&["get", kind, name, "--namespace", NAMESPACE, "--output", "json"]);
        serde_json::from_str(&printed).expect("kubectl prints JSON")
    }

    /// `kubectl` with `input`, with any outcome.
    pub(crate) fn try_kubectl(&self, arguments: &[&str], input: Option<&str>) -> Output {
        let mut command = Command::new(program("kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig(ADMINISTRATOR)).args(arguments).env("HOME", self.folder.path());
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("kubectl does not start: {error}; {MISSING}"));
        let mut stdin = process.stdin.take().expect("stdin is a pipe");
        stdin.write_all(input.unwrap_or_default().as_bytes()).expect("kubectl reads its input");
        drop(stdin);
        process.wait_with_output().expect("what kubectl prints")
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("apiserver.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "--- end of kube-apiserver's log ---\n{}\n---",
                lines[lines.len().saturating_sub(12)..].join("\n")
            );
        }
        // The API server first: without its etcd it would only complain.
        drop(self.etcd.0.kill());
    }
}

impl Process {
    fn start(mut command: Command, log: &Path) -> Self {
        let out = File::create(log).expect("a file for the log");
        let err = out.try_clone().expect("a second handle of the log");
        let started = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        Self(started.unwrap_or_else(|error| panic!("{command:?} does not start: {error}; {MISSING}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_etcd(folder: &Path, port: u16) -> Process {
    let mut command = Command::new("etcd");
    let client = format!("http://127.0.0.1:{port}");
    let peer = format!("http://127.0.0.1:{}", free_port());
    command.arg("--data-dir").arg(folder.join("etcd.data"));
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    command.args(["--initial-cluster", &format!("default={peer}")]);
    Process::start(command, &folder.join("etcd.log"))
}

fn kubeconfig(authority: &Path, port: u16, user: &str) -> String {
    let authority = authority.display();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: it\n\
         clusters: [{{name: it, cluster: {{server: \"https://localhost:{port}\", certificate-authority: \"{authority}\"}}}}]\n\
         users: [{{name: it, user: {{token: {user}}}}}]\n\
         contexts: [{{name: it, context: {{cluster: it, user: it, namespace: {NAMESPACE}}}}}]\n"
    )
}

fn expect_success(arguments: &[&str], output: &Output) -> String {
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {shown}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/cluster").join(name);
    assert!(path.exists(), "{name} is not there; {MISSING}");
    path
}
