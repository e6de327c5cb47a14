//! Runs the clients that are not written in Rust: JSON in by stdin, JSON lines out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How to install a missing tool.
pub(crate) const INSTALL: &str = "run tests/interop/install.sh, which installs what these tests need";

/// The longest that a client may take, or a single answer in a conversation; a whole journey of a browser needs a few
/// seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// A file or folder of `tests/interop`.
pub(crate) fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(path)
}

/// The Python of the virtual environment that `install.sh` made.
pub(crate) fn python() -> PathBuf {
    packaged("python")
}

/// A program of that virtual environment, with the packages of the current `requirements.txt`.
pub(crate) fn packaged(program: &str) -> PathBuf {
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop/python");
    let read = |path: PathBuf| std::fs::read(path).ok();
    let current = read(environment.join("installed.txt")) == read(source("python/requirements.txt"));
    assert!(current, "the Python packages are missing or old; {INSTALL}");
    environment.join("bin").join(program)
}

/// The resource server of `go/`, built if it has changed.
pub(crate) async fn go_program() -> PathBuf {
    go_built(".", "verify").await
}

/// One of the commands of `go/`, built if it has changed.
pub(crate) async fn go_built(package: &str, name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop/go").join(name);
    let mut build = Command::new(program("go"));
    build.current_dir(source("go")).args(["build", "-o"]).arg(&built).arg(package);
    let output = build.output().await.expect("go starts");
    assert!(output.status.success(), "go build: {}\n{INSTALL}", String::from_utf8_lossy(&output.stderr));
    built
}

/// The oauth2-proxy that `install.sh` built, in the version that `go.mod` names.
pub(crate) fn oauth2_proxy() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop/oauth2-proxy");
    let read = |path: PathBuf| std::fs::read(path).ok();
    let current = read(folder.join("installed.mod")) == read(source("oauth2-proxy/go.mod"));
    assert!(current, "oauth2-proxy is missing or old; {INSTALL}");
    folder.join("oauth2-proxy")
}

/// Fails unless the npm modules of a folder are installed; npm writes this file last.
pub(crate) fn expect_modules(folder: &str) {
    existing(source(folder).join("node_modules/.package-lock.json"));
}

/// A program of the system, from `PATH`.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; {INSTALL}"))
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} does not exist; {INSTALL}", path.display());
    path
}

/// Starts a client whose stdin, stdout and stderr are pipes. It ignores proxies.
pub(crate) fn start(program: &Path, arguments: &[&Path]) -> Child {
    command(program)
        .args(arguments)
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}; {INSTALL}", program.display()))
}

/// Runs a client to its end and returns the lines it printed.
/// A client that fails, or prints anything but JSON, fails the test.
pub(crate) async fn run(program: &Path, arguments: &[&Path], input: &Value) -> Vec<Value> {
    let mut client = start(program, arguments);
    let mut stdin = client.stdin.take().expect("stdin is a pipe");
    stdin.write_all(input.to_string().as_bytes()).await.expect("the client reads its input");
    drop(stdin);
    let ended = timeout(PATIENCE, client.wait_with_output()).await;
    let output = ended.unwrap_or_else(|_| panic!("{arguments:?} took longer than {PATIENCE:?}")).expect("the output");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}\n{stdout}{stderr}", output.status);
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    stdout.lines().map(line).collect()
}

/// A client that lives as long as the test needs it: it answers each line of JSON with one.
pub(crate) struct Conversation {
    name: String,
    client: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Conversation {
    /// Starts `program`, which is killed when the value is dropped.
    pub(crate) fn start(program: &Path, arguments: &[&OsStr], environment: &[(&str, String)]) -> Self {
        let name = format!("{} {arguments:?}", program.display());
        let mut command = command(program);
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        let mut client = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}; {INSTALL}"));
        let questions = client.stdin.take().expect("stdin is a pipe");
        let answers = BufReader::new(client.stdout.take().expect("stdout is a pipe")).lines();
        // Not our own stderr: Node would make it non-blocking, for us too.
        let mut complaints = BufReader::new(client.stderr.take().expect("stderr is a pipe")).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = complaints.next_line().await {
                eprintln!("{line}");
            }
        });
        Self { name, client, questions, answers }
    }

    /// Its next answer.
    pub(crate) async fn ask(&mut self, question: &Value) -> Value {
        let line = format!("{question}\n");
        self.questions.write_all(line.as_bytes()).await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let answer = timeout(PATIENCE, self.answers.next_line()).await;
        let answer = answer.unwrap_or_else(|_| panic!("{} took longer than {PATIENCE:?} for {question}", self.name));
        let line = answer.expect("a readable answer");
        let line = line.unwrap_or_else(|| panic!("{} ended and did not answer {question}", self.name));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{}: {error} in {line}", self.name))
    }

    /// Closes its input and waits for its end.
    pub(crate) async fn end(self) {
        let Self { name, mut client, questions, .. } = self;
        drop(questions);
        let ended = timeout(PATIENCE, client.wait()).await.unwrap_or_else(|_| panic!("{name} does not end"));
        assert!(ended.expect("the state of a process").success(), "{name} failed");
    }
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}
