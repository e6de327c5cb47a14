//! Shared by all replicas: configuration, environment, store and time.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::configuration::{self, Document, SECRET};
use crate::journeys::WEB;
use crate::port::free_port;
use crate::redis::RedisServer;
use crate::replica::Replica;

const PROGRAM: &str = env!("CARGO_BIN_EXE_uitsmijter");

/// The environment of every replica of one installation.
pub(crate) struct World {
    program: PathBuf,
    folder: TempDir,
    environment: Vec<(String, String)>,
    speed: u32,
    began: Instant,
    replicas: AtomicUsize,
}

impl World {
    /// An installation on `redis`, with the tenant `interop` of [`configuration`] under the names of this machine.
    pub(crate) fn on(redis: &RedisServer) -> Self {
        let port = redis.port.to_string();
        Self::new().with("REDIS_HOST", "127.0.0.1").with("REDIS_PORT", &port)
    }

    /// The same behind sentinels.
    pub(crate) fn behind(sentinels: &[RedisServer]) -> Self {
        let hosts: Vec<String> = sentinels.iter().map(RedisServer::address).collect();
        Self::new().with("REDIS_SENTINEL_HOSTS", &hosts.join(",")).with("REDIS_SENTINEL_MASTER", "mymaster")
    }

    /// The same on the embedded store, for one process at a time.
    pub(crate) fn on_a_file() -> Self {
        let world = Self::new();
        let path = world.folder.path().join("store.redb").display().to_string();
        world.with("STORE_PATH", &path)
    }

    /// The same in the memory of one process.
    pub(crate) fn in_memory() -> Self {
        Self::new()
    }

    fn new() -> Self {
        let world = Self {
            program: PROGRAM.into(),
            folder: tempfile::tempdir().expect("a temporary directory"),
            environment: Vec::new(),
            speed: 1,
            began: Instant::now(),
            replicas: AtomicUsize::new(0),
        };
        for document in [
            configuration::tenant(),
            configuration::native_application(),
            configuration::service("service"),
            configuration::device("tv"),
            configuration::web_application("web", WEB, WEB),
        ] {
            world.write(&document);
        }
        let directory = world.folder.path().display().to_string();
        world.with("DIRECTORY", &directory).with("ENVIRONMENT", "development").with("LOG_LEVEL", "info")
    }

    /// The same with another version of the program.
    pub(crate) fn program(self, program: &Path) -> Self {
        Self { program: program.to_owned(), ..self }
    }

    /// The same with this many descriptors for each process.
    pub(crate) fn with_descriptors(self, count: usize) -> Self {
        let program = self.folder.path().join("with-descriptors.sh");
        let text = format!("#!/bin/sh\nulimit -n {count}\nexec {} \"$@\"\n", self.program.display());
        fs::write(&program, text).expect("a script that starts the program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a script that runs");
        self.program(&program)
    }

    /// How large the embedded store is, with its journal.
    pub(crate) fn stored_bytes(&self) -> usize {
        let files = fs::read_dir(self.folder.path()).expect("the folder of this installation").flatten();
        let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with("store.redb"));
        ours.map(|file| file.metadata().map_or(0, |metadata| metadata.len() as usize)).sum()
    }

    /// Sets an environment variable for later replicas.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// The same, later; an empty value counts as unset.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// A configuration file.
    pub(crate) fn settings(self, yaml: &str) -> Self {
        let path = self.folder.path().join("settings.yaml");
        fs::write(&path, yaml).expect("a settings file");
        let path = path.display().to_string();
        self.with("UITSMIJTER_CONFIG", &path)
    }

    /// One more tenant, at the host `<name>.test`, with its client `<name>`.
    pub(crate) fn tenant(self, name: &'static str, algorithm: &str) -> Self {
        let yaml = format!("name: {name}\nconfig:\n  hosts: [{name}.test]\n  jwt_algorithm: {algorithm}\n");
        self.write(&Document { folder: "Tenants", name, yaml });
        let yaml = format!(
            "name: {name}\nconfig:\n  ident: {name}\n  tenantname: {name}\n  secret: \"{SECRET}\"\n  \
             grant_types: [client_credentials]\n  scopes: [\"orders:*\"]\n"
        );
        self.write(&Document { folder: "Clients", name, yaml });
        self
    }

    /// Makes time run this many times as fast for the replicas, by libfaketime.
    pub(crate) fn fast(mut self, speed: u32) -> Self {
        self.speed = speed;
        self
    }

    /// Writes a file of the configuration, replacing one of the same name.
    pub(crate) fn write(&self, document: &Document) {
        let folder = self.folder.path().join("Resources/Configurations").join(document.folder);
        fs::create_dir_all(&folder).expect("a folder for the configuration");
        fs::write(folder.join(format!("{}.yaml", document.name)), &document.yaml).expect("a configuration file");
    }

    /// Starts a process and does not wait for it.
    pub(crate) fn spawn(&self) -> Replica {
        Replica::spawn(self.command(&[]), self.next_log())
    }

    /// Starts a process at this port and waits until it is ready.
    pub(crate) async fn start_at(&self, port: u16) -> Replica {
        self.settle(Replica::spawn_at(port, self.command(&[]), self.next_log())).await
    }

    /// HAProxy at its own port, which sends each request once to one of the `backends` that report ready, as the
    /// service of a cluster does.
    pub(crate) async fn balance(&self, backends: &[u16]) -> Replica {
        let port = free_port();
        let servers: String =
            backends.iter().map(|port| format!("    server s{port} 127.0.0.1:{port} check\n")).collect();
        let text = format!(
            "global\n    log stderr local0 warning\ndefaults\n    mode http\n    retries 0\n    timeout connect 5s\n    timeout check 5s\n    \
             timeout client 60s\n    timeout server 60s\n    default-server inter 250ms fall 2 rise 1\n\
             frontend all\n    bind 127.0.0.1:{port}\n    default_backend replicas\n\
             backend replicas\n    option httpchk GET /health/ready\n{servers}"
        );
        let configuration = self.folder.path().join("haproxy.cfg");
        fs::write(&configuration, text).expect("a configuration of HAProxy");
        let mut command = Command::new("/usr/sbin/haproxy");
        command.arg("-db").arg("-f").arg(configuration);
        let balancer = Replica::spawn_at(port, command, self.next_log());
        balancer.listens().await;
        balancer
    }

    fn next_log(&self) -> PathBuf {
        let number = self.replicas.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(format!("log-{number}"))
    }

    /// Starts a process and waits until it is ready.
    pub(crate) async fn start(&self) -> Replica {
        self.settle(self.spawn()).await
    }

    /// Starts several at once and waits until all are ready.
    pub(crate) async fn start_together(&self, count: usize) -> Vec<Replica> {
        let replicas: Vec<Replica> = (0..count).map(|_| self.spawn()).collect();
        join_all(replicas.into_iter().map(|replica| self.settle(replica))).await
    }

    /// Waits until it is ready. A replica that gave up because Redis was too slow for fast time is started again, as an
    /// orchestrator does.
    async fn settle(&self, mut replica: Replica) -> Replica {
        while !replica.becomes_ready().await {
            assert!(self.speed > 1, "Redis is too slow: {}", replica.log());
            replica = self.spawn();
        }
        replica
    }

    /// The output of `uitsmijter <words>`, with the environment of the replicas; it must succeed.
    pub(crate) async fn run(&self, words: &[&str]) -> String {
        let mut output = self.try_run(words).await;
        for _ in 0..10 {
            // On a busy machine Redis may be too slow for the program. Every command can be repeated.
            if output.status.success() || !String::from_utf8_lossy(&output.stderr).contains("store is unavailable") {
                break;
            }
            output = self.try_run(words).await;
        }
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "uitsmijter {words:?}: {shown}");
        String::from_utf8(output.stdout).expect("output in UTF-8")
    }

    /// The same, with any outcome.
    pub(crate) async fn try_run(&self, words: &[&str]) -> Output {
        let mut command = tokio::process::Command::from(self.command(words));
        command.output().await.expect("the binary starts")
    }

    /// `keys list --json`, perhaps of one tenant.
    pub(crate) async fn keys(&self, tenant: Option<&str>) -> Vec<Value> {
        let mut words = vec!["keys", "list", "--json"];
        words.extend(tenant.iter().flat_map(|tenant| ["--tenant", tenant]));
        serde_json::from_str(&self.run(&words).await).expect("JSON")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).env_clear().current_dir(self.folder.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if self.speed > 1 {
            // Every process counts from its own start: the offset aligns those that start later.
            let ahead = self.began.elapsed().as_secs_f64() * f64::from(self.speed - 1);
            // A command is short, and has the usual time limits for the store.
            let speed = if words.is_empty() { self.speed } else { 1 };
            command.env("LD_PRELOAD", faketime()).env("FAKETIME_DISABLE_SHM", "1");
            command.env("FAKETIME", format!("+{ahead:.3} x{speed}"));
        }
        command
    }
}

/// The library that makes time run faster; the variant for programs with several threads.
fn faketime() -> String {
    let places = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let libraries = places.iter().map(|place| format!("{place}/faketime/libfaketimeMT.so.1"));
    let found = libraries.into_iter().find(|library| Path::new(library).exists());
    found.expect("this test lets time go faster: apt-get install faketime")
}
