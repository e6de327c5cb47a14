//! `uitsmijter provider test`: the real program, a tenant's file, a backend over HTTP.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{PASSWORD, backend};

/// Runs the program for a tenant with this script; gives exit code, standard output and standard error.
async fn provider_test(script: &str, tenant: &str, password: &str) -> (i32, String, String) {
    let directory = tempfile::tempdir().expect("a folder");
    let tenants = directory.path().join("Resources/Configurations/Tenants");
    std::fs::create_dir_all(&tenants).expect("a folder");
    let indented = script.replace('\n', "\n      ");
    let document =
        format!("name: acme\nconfig:\n  hosts: [login.acme.example]\n  providers:\n    - |\n      {indented}\n");
    std::fs::write(tenants.join("acme.yaml"), document).expect("a file");
    let mut process = Command::new(env!("CARGO_BIN_EXE_uitsmijter"))
        .args(["provider", "test", "--tenant", tenant, "--username", "ada", "--directory"])
        .arg(directory.path())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = process.stdin.take().expect("a pipe");
    stdin.write_all(password.as_bytes()).await.expect("a reader");
    drop(stdin);
    let output = process.wait_with_output().await.expect("an end");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!out.contains(PASSWORD) && !err.contains(PASSWORD), "{out}{err}");
    (output.status.code().expect("a code"), out, err)
}

fn script(backend: &str) -> String {
    format!(
        "class UserLoginProvider {{\n\
         \x20 constructor(credentials) {{\n\
         \x20   const body = {{username: credentials.username, passwordHash: sha256(credentials.password)}};\n\
         \x20   fetch('{backend}/validate-login', {{method: 'post', body}}).then((answer) => {{\n\
         \x20     this.user = answer.json(); this.isLoggedIn = true; commit({{subject: 'u-1'}});\n\
         \x20   }}).catch(() => commit(false));\n\
         \x20 }}\n\
         \x20 get canLogin() {{ return this.isLoggedIn === true }}\n\
         \x20 get userProfile() {{ return {{name: 'Ada', department: 'engines'}} }}\n\
         \x20 get role() {{ return 'admin' }}\n\
         \x20 get scopes() {{ return ['staff', 'read'] }}\n\
         }}"
    )
}

#[tokio::test]
async fn it_shows_every_step_of_a_sign_in_that_works() {
    let script = script(&backend::start().await);
    let (code, out, err) = provider_test(&script, "acme", &format!("{PASSWORD}\n")).await;
    assert_eq!(code, 0, "{out}{err}");
    let words: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [
        &["UserLoginProvider", "found"][..],
        &["UserValidationProvider", "missing"],
        &["committed", "yes"],
        &["canLogin", "yes"],
        &["subject", "u-1"],
        &["role", "admin"],
        &["scopes", "staff", "read"],
        &["userProfile", "department", "name"],
    ];
    assert_eq!(words[..8], expected, "{out}");
}

#[tokio::test]
async fn a_no_a_broken_script_and_an_unknown_tenant_have_codes_of_their_own() {
    let script = script(&backend::start().await);
    let (code, out, _) = provider_test(&script, "acme", "wrong").await;
    assert_eq!((code, out.lines().last()), (3, Some("canLogin                no")));
    let (code, _, err) =
        provider_test("class UserLoginProvider { constructor(c) { nothing() } }", "acme", PASSWORD).await;
    assert!(code == 1 && err.contains("exception") && err.contains("nothing"), "{code} {err}");
    let (code, out, err) = provider_test("class UserLoginProvider { constructor(c) {} }", "acme", PASSWORD).await;
    assert!(code == 1 && out.contains("committed               no") && err.contains("commit"), "{code} {out}{err}");
    let (code, _, err) = provider_test(&script, "acne", PASSWORD).await;
    assert!(code == 1 && err.contains("acme"), "{code} {err}");
    let (code, _, err) = provider_test("class UserLoginProvider {", "acme", PASSWORD).await;
    assert!(code == 1 && err.contains("tenant \"acme\" is not served: ") && err.contains("syntax"), "{code} {err}");
    let (code, _, err) = provider_test(&script, "acme", "").await;
    assert!(code == 1 && err.contains("standard input"), "{code} {err}");
}

#[tokio::test]
async fn it_tells_what_was_fetched_and_keeps_the_password_even_if_the_script_does_not() {
    let backend = backend::start().await;
    let script = script(&backend).replace(
        "constructor(credentials) {",
        "constructor(credentials) {\n    console.log(`typed: ${credentials.password}`);",
    ) + &format!(
        "\nclass UserValidationProvider {{\n\
             \x20 constructor(person) {{\n\
             \x20   fetch('{backend}/status/404?name=' + person.username).catch(() => commit(false));\n\
             \x20 }}\n\
             \x20 get isValid() {{ return false }}\n\
             }}"
    );
    let (code, out, err) = provider_test(&script, "acme", PASSWORD).await;
    assert!(code == 0 && out.lines().last() == Some("isValid                 no"), "{out}{err}");
    assert!(err.contains("typed: ***"), "{err}");
    let told = |what: &str, status: &str| {
        let line = err.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {err}"));
        assert!(line.contains(&format!("status={status}")) && line.contains("milliseconds="), "{line}");
        assert!(!line.contains("name="), "{line}");
    };
    told(&format!("POST {backend}/validate-login"), "200");
    told(&format!("GET {backend}/status/404"), "404");
}
