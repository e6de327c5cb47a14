//! Real Redis servers on free ports, each with its own folder, killed with the test that started them.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use uitsmijter::store::settings::RedisSettings;

use super::port::free_port;

const MISSING: &str = "these tests need a real Redis: apt-get install redis-server";
const PATIENCE: Duration = Duration::from_secs(10);

/// One server process.
pub(crate) struct RedisServer {
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    arguments: Vec<String>,
    folder: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    /// A server without a password that keeps its data in memory only.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more arguments, for instance `["--requirepass", "secret"]`.
    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        let port = free_port();
        let mut common = vec!["--port".to_owned(), port.to_string()];
        common.extend(arguments.iter().map(ToString::to_string));
        Self::launch(port, common).await
    }

    /// A server that speaks nothing but TLS, with a certificate for `localhost` by the authority `ca.pem` in `folder`.
    pub(crate) async fn start_with_tls(folder: &Path) -> Self {
        let port = free_port();
        let file = |name: &str| folder.join(name).display().to_string();
        let arguments = [
            ["--port", "0"].map(str::to_owned),
            ["--tls-port".to_owned(), port.to_string()],
            ["--tls-cert-file".to_owned(), file("server.pem")],
            ["--tls-key-file".to_owned(), file("server.key")],
            ["--tls-ca-cert-file".to_owned(), file("ca.pem")],
            ["--tls-auth-clients", "no"].map(str::to_owned),
        ];
        Self::launch(port, arguments.concat()).await
    }

    /// A sentinel that watches `master` under the name `mymaster`; two of them decide.
    pub(crate) async fn start_sentinel(master: &RedisServer) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the sentinel");
        let port = free_port();
        let configuration = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nsentinel monitor mymaster 127.0.0.1 {} 2\nsentinel down-after-milliseconds mymaster 500\n\
             sentinel failover-timeout mymaster 3000\n",
            master.port
        );
        std::fs::write(&configuration, text).expect("the sentinel's configuration");
        let arguments = vec![configuration.display().to_string(), "--sentinel".to_owned()];
        Self::launch_in(folder, port, arguments).await
    }

    /// The settings for connecting to it.
    pub(crate) fn settings(&self) -> RedisSettings {
        RedisSettings { host: "127.0.0.1".to_owned(), port: self.port, ..RedisSettings::default() }
    }

    /// Its address, for instance for a list of sentinels.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills it, as a power cut would.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a process of ours can be killed");
            process.wait().expect("a killed process ends");
        }
    }

    /// Starts it again on the same port, without the data.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        self.spawn().await;
    }

    /// Suspends it while its connections stay open.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Resumes it after [`RedisServer::freeze`].
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// The output of `redis-cli` with `arguments`; fails the test on an error.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let output = redis_cli(&[&["-p", &self.port.to_string()], arguments].concat());
        String::from_utf8(output.stdout).expect("redis-cli answers in UTF-8").trim().to_owned()
    }

    async fn launch(port: u16, arguments: Vec<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder for Redis");
        Self::launch_in(folder, port, arguments).await
    }

    async fn launch_in(folder: TempDir, port: u16, mut arguments: Vec<String>) -> Self {
        if !arguments.contains(&"--sentinel".to_owned()) {
            arguments.extend(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"].map(str::to_owned));
        }
        let mut server = Self { port, arguments, folder, process: None };
        server.spawn().await;
        server
    }

    async fn spawn(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log for Redis");
        let process = Command::new("redis-server")
            .args(&self.arguments)
            .args(["--dir", &self.folder.path().display().to_string()])
            .stdout(log)
            .stdin(Stdio::null())
            .spawn()
            .expect(MISSING);
        self.process = Some(process);
        eventually("redis-server listens", async || {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            assert!(ended.is_none(), "redis-server ended at once: {log}");
            // From its own log: another process might answer at the port. The second sentence is a sentinel's.
            log.contains("Ready to accept connections") || log.contains("Sentinel ID is")
        })
        .await;
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("a running server").id().to_string();
        let status = Command::new("kill").args([signal, &process]).status().expect("kill");
        assert!(status.success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Three masters that share the slots.
pub(crate) async fn start_cluster() -> Vec<RedisServer> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(RedisServer::start_with(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]).await);
    }
    let addresses: Vec<String> = nodes.iter().map(RedisServer::address).collect();
    let mut arguments = vec!["--cluster", "create"];
    arguments.extend(addresses.iter().map(String::as_str));
    arguments.extend(["--cluster-replicas", "0", "--cluster-yes"]);
    redis_cli(&arguments);
    for node in &nodes {
        eventually("the cluster is complete", async || node.cli(&["cluster", "info"]).contains("cluster_state:ok"))
            .await;
    }
    nodes
}

/// A new certificate authority and a certificate for `localhost`.
pub(crate) fn certificates() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder for certificates");
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        let output = command.current_dir(&folder).args(arguments.split(' ')).output();
        let output = output.expect("these tests make certificates: apt-get install openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority");
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    std::fs::write(folder.path().join("names"), "subjectAltName=DNS:localhost").expect("a file in our folder");
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names");
    folder
}

/// Polls until `condition` holds, and fails the test after ten seconds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, holds).await.is_ok(), "it did not happen in ten seconds: {what}");
}

fn redis_cli(arguments: &[&str]) -> Output {
    let run = || Command::new("redis-cli").args(arguments).output().expect(MISSING);
    let mut output = run();
    // A server that changes its role in a failover drops its connections, this one too.
    for _ in 0..20 {
        if output.status.success() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        output = run();
    }
    let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "redis-cli {arguments:?}: {shown}");
    output
}
