//! One process of the program, and the requests of clients to it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::configuration::SECRET;
use crate::port::free_port;
use crate::server::http_client;

/// How long a process may take to become ready; twenty that start on two busy cores and make keys need a while.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// The tenant with the names of this machine.
pub(crate) const INTEROP: &str = "localhost";

/// A process.
pub(crate) struct Replica {
    process: Child,
    log: PathBuf,
    http: Client,
    pub(crate) port: u16,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<String>,
    pub(crate) took: Duration,
}

impl Replica {
    /// Starts a process that listens on the given address.
    pub(crate) fn spawn(command: Command, log: PathBuf) -> Self {
        Self::spawn_at(free_port(), command, log)
    }

    /// The same at this port, for a replica or for another program such as a proxy.
    pub(crate) fn spawn_at(port: u16, mut command: Command, log: PathBuf) -> Self {
        let out = File::create(&log).expect("a file for the log");
        let err = out.try_clone().expect("a second handle of the log");
        command.env("LISTEN", format!("127.0.0.1:{port}"));
        let process = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("the binary starts");
        Self { process, log, http: http_client(), port }
    }

    /// Waits until it is ready; returns `false` if it gave up because Redis was too slow.
    ///
    /// Its own log must say that it serves at its port: a process that lost the port to another one would otherwise be
    /// mistaken for that one, which may belong to another test.
    pub(crate) async fn becomes_ready(&mut self) -> bool {
        let serving = format!("://127.0.0.1:{}", self.port);
        let patience = timeout(READY_WITHIN, async {
            while !(self.log().contains(&serving) && self.is_ready().await) {
                if let Some(status) = self.process.try_wait().expect("the state of the process") {
                    let slow = self.log().contains("cannot be used as the store: timed out");
                    assert!(slow, "the replica ended before it was ready: {status}\n{}", self.log());
                    return false;
                }
                sleep(Duration::from_millis(25)).await;
            }
            true
        });
        patience.await.unwrap_or_else(|_| panic!("the replica was not ready within {READY_WITHIN:?}"))
    }

    /// Waits until it accepts requests, ready or not.
    pub(crate) async fn listens(&self) {
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < deadline, "the replica does not listen");
            sleep(Duration::from_millis(25)).await;
        }
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let request = self.http.get(self.url("/health/ready")).timeout(Duration::from_secs(5));
        request.send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// Whether its store responds, as it reports itself.
    pub(crate) async fn has_store(&self) -> bool {
        self.get(INTEROP, "/health/ready").await.body["store"] == json!(true)
    }

    /// Waits for a process that ends by itself; returns whether it succeeded.
    pub(crate) async fn ended(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.process.try_wait().expect("the state of the process") {
                return status.success();
            }
            assert!(Instant::now() < deadline, "the process did not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("a process of ours can be killed");
        self.process.wait().expect("a killed process ends");
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn stop(mut self) {
        self.signal("-TERM");
        assert!(self.ended().await, "a stopped replica ends with success");
    }

    /// SIGSTOP: it goes on after [`Replica::thaw`].
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process_id().to_string()]).status().expect("kill");
        assert!(status.success());
    }

    /// Everything it has printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// `GET path` of the tenant at `host`.
    pub(crate) async fn get(&self, host: &str, path: &str) -> Answer {
        Answer::of(self.http.get(self.url(path)).header("host", host)).await
    }

    /// All metrics.
    pub(crate) async fn metrics(&self) -> String {
        let answer = self.http.get(self.url("/metrics")).send().await.expect("metrics");
        answer.text().await.expect("a readable text")
    }

    /// The JWKS, which must be there and must not be empty.
    pub(crate) async fn jwks(&self, host: &str) -> Value {
        let answer = self.get(host, "/.well-known/jwks.json").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let keys = answer.body["keys"].as_array().map_or(0, Vec::len);
        assert!(keys > 0, "the JWKS of {host} is empty");
        answer.body
    }

    /// The key ids in the JWKS, sorted.
    pub(crate) async fn kids(&self, host: &str) -> Vec<String> {
        let jwks = self.jwks(host).await;
        let keys = jwks["keys"].as_array().expect("keys").iter();
        let mut kids: Vec<String> = keys.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect();
        kids.sort();
        kids
    }

    /// `POST path` by the tenant's service client, authenticated.
    pub(crate) async fn post(&self, host: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        let secret: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let client = host.strip_suffix(".test").unwrap_or("service");
        let request = self.http.post(self.url(path)).header("host", host).basic_auth(client, Some(secret));
        Answer::of(request.form(form)).await
    }

    /// `POST path` by the public client `native`.
    pub(crate) async fn post_native(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let form = [form, &[("client_id", "native")]].concat();
        Answer::of(self.http.post(self.url(path)).form(&form)).await
    }

    /// An access token of that client, if the replica can sign.
    pub(crate) async fn try_token(&self, host: &str) -> Result<String, Answer> {
        let answer = self.post(host, "/token", &[("grant_type", "client_credentials"), ("scope", "orders:read")]).await;
        match answer.body["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => Err(answer),
        }
    }

    /// An access token of that client.
    pub(crate) async fn token(&self, host: &str) -> String {
        self.try_token(host).await.expect("a token")
    }

    /// Whether the replica accepts `token`.
    pub(crate) async fn believes(&self, host: &str, token: &str) -> bool {
        let answer = self.post(host, "/introspect", &[("token", token)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body["active"] == json!(true)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // All of them fail only if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains("token issued")).collect();
            let tail = lines[lines.len().saturating_sub(12)..].join("\n");
            eprintln!("--- end of the log of the replica on port {} ---\n{tail}\n---", self.port);
        }
    }
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let begun = Instant::now();
        let answer = request.send().await.expect("the replica answers");
        let status = answer.status();
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = answer.text().await.expect("a readable answer");
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        Self { status, body, retry_after, took: begun.elapsed() }
    }

    /// Fails the test unless the response reports an unavailable store: at once, and with a time to try again.
    #[track_caller]
    pub(crate) fn expect_store_away(&self) {
        assert_eq!(self.status, StatusCode::SERVICE_UNAVAILABLE, "{self:?}");
        assert_eq!(self.body["error"], "temporarily_unavailable", "{self:?}");
        assert!(self.retry_after.is_some(), "{self:?}");
        assert!(self.took < Duration::from_secs(1), "{self:?}");
    }
}
