//! The server under test: the real binary in a separate process, killed when the value is dropped.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::redirect::Policy;
use tempfile::TempDir;

use crate::configuration::Document;
use crate::port::free_port;

/// How long a server may take to become ready; a debug build on a busy machine needs far less.
const READY_WITHIN: Duration = Duration::from_secs(20);
const ASK_EVERY: Duration = Duration::from_millis(25);

/// A running server. Prints its log when the test that holds it fails.
pub(crate) struct Server {
    process: Child,
    directory: TempDir,
    port: u16,
    /// The URL of the health endpoints.
    health: String,
}

impl Server {
    /// Starts a server that serves these documents and waits until it is ready.
    pub(crate) async fn start(documents: &[Document]) -> Self {
        Self::start_at(free_port(), documents).await
    }

    /// The same with these environment variables.
    pub(crate) async fn start_with(documents: &[Document], environment: &[(&str, String)]) -> Self {
        Self::start_documents(free_port(), documents, environment).await
    }

    /// The same at a port that the documents name.
    pub(crate) async fn start_at(port: u16, documents: &[Document]) -> Self {
        Self::start_documents(port, documents, &[]).await
    }

    /// The same at a port that the documents name, with these environment variables.
    pub(crate) async fn start_documents(port: u16, documents: &[Document], environment: &[(&str, String)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for document in documents {
            write(directory.path(), document);
        }
        Self::launch(directory, port, |command, directory| {
            command.env("DIRECTORY", directory).env("ENVIRONMENT", "development").env("LOG_LEVEL", "debug");
            command.envs(environment.iter().map(|(name, value)| (name, value)));
        })
        .await
    }

    /// Rewrites one document; the running server reads it in a moment.
    pub(crate) fn rewrite(&self, document: &Document) {
        write(self.directory.path(), document);
    }

    /// Starts a server as a newcomer does: in an empty folder, with only an address.
    pub(crate) async fn start_with_nothing() -> Self {
        Self::launch(tempfile::tempdir().expect("a temporary directory"), free_port(), |_, _| {}).await
    }

    async fn launch(directory: TempDir, port: u16, configure: impl FnOnce(&mut Command, &Path)) -> Self {
        let out = File::create(directory.path().join("log")).expect("a file for the log");
        let err = out.try_clone().expect("a second handle of the log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_uitsmijter"));
        command.env_clear().env("LISTEN", format!("127.0.0.1:{port}")).current_dir(directory.path());
        configure(&mut command, directory.path());
        let process = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("the binary starts");
        let health = format!("http://{}", address(&command, "METRICS_LISTEN").unwrap_or(format!("127.0.0.1:{port}")));
        let mut server = Self { process, directory, port, health };
        server.wait_until_ready().await;
        server
    }

    async fn wait_until_ready(&mut self) {
        let ready = format!("{}/health/ready", self.health);
        // From its own log: another process might answer at the port.
        let serving = format!("://127.0.0.1:{}", self.port);
        let http = http_client();
        let patience = tokio::time::timeout(READY_WITHIN, async {
            loop {
                if self.log().contains(&serving)
                    && http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
                {
                    return;
                }
                if let Some(status) = self.process.try_wait().expect("the state of the process") {
                    panic!("the server ended before it was ready: {status}");
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        });
        assert!(patience.await.is_ok(), "{ready} was not 200 within {READY_WITHIN:?}");
    }

    /// The issuer as a client on this machine names it: address and port, which is the origin of every endpoint, too.
    pub(crate) fn issuer(&self) -> String {
        self.issuer_at("127.0.0.1")
    }

    /// The same for clients that know this machine by another of its names.
    pub(crate) fn issuer_at(&self, host: &str) -> String {
        format!("http://{host}:{}", self.port)
    }

    /// Sends it a signal, like `-HUP`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status().expect("kill");
        assert!(status.success());
    }

    /// SIGTERM, and waits until it has exited successfully.
    pub(crate) async fn stop(&mut self) {
        self.signal("-TERM");
        for _ in 0..1_500 {
            if let Some(status) = self.process.try_wait().expect("the state of the process") {
                assert!(status.success(), "{status}");
                return;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        panic!("the server did not stop");
    }

    /// Everything the server has printed so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the server ---\n{}--- end of the log ---", self.log());
        }
    }
}

/// An address in the environment of the command.
fn address(command: &Command, variable: &str) -> Option<String> {
    let (_, value) = command.get_envs().find(|(name, _)| *name == variable)?;
    Some(value?.to_str()?.to_owned())
}

fn write(directory: &Path, document: &Document) {
    let folder = directory.join("Resources/Configurations").join(document.folder);
    fs::create_dir_all(&folder).expect("a folder for the configuration");
    fs::write(folder.join(format!("{}.yaml", document.name)), &document.yaml).expect("a configuration file");
}

/// A client that connects to this machine directly, whatever proxy the environment names, and follows no redirect.
pub(crate) fn http_client() -> reqwest::Client {
    client_builder().build().expect("nothing in this configuration can fail")
}

/// The same, but it uses no connection twice: the server closes idle ones when time is set forward.
pub(crate) fn http_client_through_time() -> reqwest::Client {
    client_builder().pool_max_idle_per_host(0).build().expect("nothing in this configuration can fail")
}

fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().redirect(Policy::none())
}
