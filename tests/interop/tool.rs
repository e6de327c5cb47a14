//! Runs the clients that are not written in Rust: JSON in by stdin, one JSON line out for each finding.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What to do when a tool is missing.
pub(crate) const INSTALL: &str = "run tests/interop/install.sh, which installs what these tests need";

/// The longest that a client may take; a browser's whole journey needs a few seconds.
const PATIENCE: Duration = Duration::from_secs(240);

/// A file or folder of `tests/interop`.
pub(crate) fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(path)
}

/// The Python of the virtual environment that `install.sh` made.
pub(crate) fn python() -> PathBuf {
    packaged("python")
}

/// A program of that virtual environment, with the packages of today's `requirements.txt`.
pub(crate) fn packaged(program: &str) -> PathBuf {
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop/python");
    let read = |path: PathBuf| std::fs::read(path).ok();
    let current = read(environment.join("installed.txt")) == read(source("python/requirements.txt"));
    assert!(current, "the Python packages are missing or old; {INSTALL}");
    environment.join("bin").join(program)
}

/// The Go program of `go/`, built now; nothing happens when nothing changed.
pub(crate) async fn go_program() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop/go/verify");
    let mut build = Command::new(program("go"));
    build.current_dir(source("go")).args(["build", "-o"]).arg(&built).arg(".");
    let output = build.output().await.expect("go starts");
    assert!(output.status.success(), "go build: {}\n{INSTALL}", String::from_utf8_lossy(&output.stderr));
    built
}

/// The npm modules of a folder are there; npm writes this file last.
pub(crate) fn expect_modules(folder: &str) {
    existing(source(folder).join("node_modules/.package-lock.json"));
}

/// A program of the system, looked for along `PATH`.
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

/// Runs a client to its end and gives the lines it printed.
/// A client that fails, or prints anything but JSON, fails the test.
pub(crate) async fn run(program: &Path, arguments: &[&Path], input: &Value) -> Vec<Value> {
    let mut client = Command::new(program)
        .args(arguments)
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}; {INSTALL}", program.display()));
    let mut stdin = client.stdin.take().expect("stdin is a pipe");
    stdin.write_all(input.to_string().as_bytes()).await.expect("the client reads its input");
    drop(stdin);
    let ended = tokio::time::timeout(PATIENCE, client.wait_with_output()).await;
    let output = ended.unwrap_or_else(|_| panic!("{arguments:?} took longer than {PATIENCE:?}")).expect("the output");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}\n{stdout}{stderr}", output.status);
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    stdout.lines().map(line).collect()
}
