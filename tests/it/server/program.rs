//! The program as a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::fixtures;
use crate::harness::port::free_port;

/// A running program with the tenant `acme`, stopped when the value is dropped.
pub(super) struct Program {
    process: Child,
    pub(super) port: u16,
    pub(super) metrics: u16,
    /// Its working directory, with `config.yaml`.
    pub(super) folder: TempDir,
    /// Its environment, also for other words of the command line.
    pub(super) environment: Vec<(String, String)>,
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Program {
    /// In development, with this section `connections`; `127.9.9.9` is a trusted proxy.
    pub(super) fn with_connections(section: &str) -> Self {
        Self::start(&format!("connections: {section}\n"), &[("TRUSTED_PROXIES", "127.9.9.9")])
    }

    /// With this configuration file and environment, apart from addresses.
    pub(super) fn start(configuration: &str, environment: &[(&str, &str)]) -> Self {
        let (folder, port, metrics) = (TempDir::new().expect("a folder"), free_port(), free_port());
        let tenants = folder.path().join("Resources/Configurations/Tenants");
        std::fs::create_dir_all(&tenants).expect("folders");
        std::fs::write(tenants.join("acme.yaml"), fixtures::tenant("acme", "login.acme.example")).expect("a file");
        std::fs::write(folder.path().join("config.yaml"), configuration).expect("a file");
        let own = [
            ("UITSMIJTER_CONFIG", folder.path().join("config.yaml").display().to_string()),
            ("LISTEN", format!("127.0.0.1:{port}")),
            ("METRICS_LISTEN", format!("127.0.0.1:{metrics}")),
            ("LOG_FORMAT", "ndjson".to_owned()),
        ];
        let given = environment.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let environment: Vec<_> = own.into_iter().chain(given).map(|(name, value)| (name.to_owned(), value)).collect();
        let mut process = Command::new(env!("CARGO_BIN_EXE_uitsmijter"))
            .env_clear()
            .envs(environment.clone())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let output = process.stderr.take().expect("its log");
        let (mut lines, mut log) = (BufReader::new(output).lines(), String::new());
        let serves = |line: std::io::Result<String>| {
            log.push_str(&line.expect("a line"));
            log.contains("serving on")
        };
        let serving = lines.by_ref().any(serves);
        assert!(serving, "it does not serve: {log}");
        // Read on, or the program waits for somebody to do so.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port, metrics, folder, environment }
    }

    /// What a word of the command line prints, with the same settings.
    pub(super) fn say(&self, words: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_uitsmijter"))
            .args(words)
            .env_clear()
            .envs(self.environment.clone())
            .current_dir(self.folder.path())
            .output()
            .expect("the program");
        String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8")
    }

    pub(super) async fn connect(&self) -> TcpStream {
        self.connect_from([127, 0, 0, 1]).await
    }

    pub(super) async fn connect_from(&self, address: [u8; 4]) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((address, 0).into()).expect("an address of this machine");
        socket.connect(([127, 0, 0, 1], self.port).into()).await.expect("a connection")
    }
}
