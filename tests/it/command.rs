//! The commands from outside: how they report mistakes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Runs the program in `folder`; returns exit code, standard output and standard error.
fn run(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_uitsmijter"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("the program");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

fn folder(file: &str, text: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("Resources/Configurations").join(file);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    std::fs::write(path, text).expect("a file");
    folder
}

const TENANT: &str = "name: acme\nconfig:\n  hosts: [acme.example]\n  providers: class UserLoginProvider {}\n";

#[test]
fn a_directory_that_is_not_there_is_an_error_and_one_without_tenants_is_not() {
    let place = TempDir::new().expect("a folder");
    for word in ["check", "serve"] {
        let (code, _, err) = run(place.path(), &[], &[word, "--directory", "/nowhere/at/all"]);
        assert!(code == 1 && err.contains("DIRECTORY /nowhere/at/all does not exist"), "{word}: {code} {err}");
    }
    let (code, out, err) = run(place.path(), &[], &["check"]);
    assert!(code == 0 && out.contains("No tenants"), "{out}{err}");
    // With custom resources no folder is needed; here only the cluster is missing.
    let in_a_cluster = [("SUPPORT_KUBERNETES_CRD", "true")];
    let (_, _, err) = run(place.path(), &in_a_cluster, &["check", "--directory", "/nowhere/at/all"]);
    assert!(!err.is_empty() && !err.contains("DIRECTORY"), "{err}");
}

#[test]
fn a_tenant_beside_the_folder_for_tenants_is_warned_of() {
    let place = folder("acme.yaml", TENANT);
    let (code, out, _) = run(place.path(), &[], &["check"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("warning: Resources/Configurations/acme.yaml: it is not read here; move it"), "{out}");
}

#[test]
fn keys_are_not_looked_for_in_a_store_that_is_not_there() {
    let place = folder("Tenants/acme.yaml", TENANT);
    let (code, _, err) = run(place.path(), &[("STORE_PATH", "new.redb")], &["keys", "list"]);
    assert!(code == 1 && err.contains("there is no store at new.redb"), "{code} {err}");
    assert!(!place.path().join("new.redb").exists(), "it was made");
}

#[test]
fn an_address_without_its_half_is_shown_how_to_write_one() {
    let place = TempDir::new().expect("a folder");
    let (code, _, err) = run(place.path(), &[], &["check", "--listen", "8090"]);
    assert!(code == 2 && err.contains("expected an address and a port, like 127.0.0.1:8080"), "{code} {err}");
}

#[test]
fn the_health_check_repeats_what_the_server_lacks() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a question");
        let mut question = [0; 1024];
        let _ = stream.read(&mut question).expect("a question");
        let answer =
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{\"store\":false}";
        stream.write_all(answer.as_bytes()).expect("a reader");
    });
    let place = TempDir::new().expect("a folder");
    let (code, _, err) = run(place.path(), &[], &["healthcheck", "--ready", "--listen", &address]);
    server.join().expect("an answer");
    assert!(code == 1 && err.contains("503 Service Unavailable: {\"store\":false}"), "{code} {err}");
}
