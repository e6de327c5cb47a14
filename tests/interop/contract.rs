//! schemathesis generates requests from the OpenAPI document, and compares the responses with it.
//!
//! The short form is deterministic. With `FULL=1` it goes on for ten minutes.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::configuration::{Document, PASSWORD, SECRET, USERNAME, tenant};
use crate::server::Server;
use crate::tool;

/// How long the two parts of the long form take each, in seconds.
const LONG: u64 = 300;

/// The longest that the short form may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// One client of each kind: with a secret, without, for itself, for a device.
fn clients() -> Document {
    let yaml = format!(
        r#"
name: web
config:
  ident: web
  tenantname: interop
  secret: "{SECRET}"
  redirect_urls: ["https://app.example/callback"]
  post_logout_redirect_urls: ["https://app.example/bye"]
  grant_types: [authorization_code, refresh_token]
  scopes: [openid, profile, email, offline_access]
---
name: service
config:
  ident: service
  tenantname: interop
  secret: "{SECRET}"
  grant_types: [client_credentials, "urn:ietf:params:oauth:grant-type:token-exchange"]
  scopes: [jobs, profile]
  accepted_audiences: [web]
---
name: legacy
config:
  ident: legacy
  tenantname: interop
  grant_types: [password]
  scopes: [openid, profile]
---
name: tv
config:
  ident: tv
  tenantname: interop
  grant_types: [device_code, refresh_token]
  scopes: [openid, profile]
"#
    );
    Document { folder: "Clients", name: "contract", yaml }
}

#[tokio::test]
async fn schemathesis_finds_the_server_as_its_document_describes_it() {
    let long = std::env::var("FULL").as_deref() == Ok("1");
    let server = Server::start(&[tenant(), clients()]).await;
    let asked = json!({
        "issuer": server.issuer(),
        "seconds": if long { LONG } else { 0 },
        "examples": 12,
        "seed": 1815,
        "secret": SECRET,
        "username": USERNAME,
        "password": PASSWORD,
    });
    let patience = if long { PATIENCE + Duration::from_secs(2 * LONG) } else { PATIENCE };
    let (said, summary) = contract(&asked, patience).await;
    println!("schemathesis: {summary}");
    assert_eq!(summary["failed"], json!([]), "{said}");
    assert_eq!(summary["unanswered"], json!([]), "these were never asked in a way that works\n{said}");
    assert!(summary["requests"].as_u64() > Some(500), "{summary}\n{said}");
    assert!(!server.log().contains("panicked"), "a panic");
}

/// Runs it to its end; returns all its output, and the summary in its last line.
async fn contract(asked: &Value, patience: Duration) -> (String, Value) {
    let mut client = Command::new(tool::python())
        .arg(tool::source("python/contract.py"))
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost")
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("python does not start: {error}; {}", tool::INSTALL));
    let mut stdin = client.stdin.take().expect("stdin is a pipe");
    stdin.write_all(asked.to_string().as_bytes()).await.expect("the client reads its input");
    drop(stdin);
    let ended = tokio::time::timeout(patience, client.wait_with_output()).await;
    let output = ended.unwrap_or_else(|_| panic!("schemathesis took longer than {patience:?}")).expect("the output");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}{errors}", output.status);
    let last = said.lines().last().unwrap_or_default();
    let summary = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {last}\n{said}{errors}"));
    (said, summary)
}
