//! Chromium signs in once, for two applications and a protected one on three hosts, and for no other tenant's.

use serde_json::json;

use crate::browser::walk;
use crate::configuration::{Document, PASSWORD, SUBJECT, USERNAME, tenant};
use crate::pages::application;
use crate::port::free_port;
use crate::proxies::{Proxy, upstream};
use crate::server::Server;

/// A tenant on hosts of its own, with a client on two of them. The third is behind the proxy.
fn documents(name: &'static str, more: &str, port: u16, application: u16) -> [Document; 2] {
    let hosts = format!(
        "hosts: [\"*.{name}.test\"]\n  interceptor: {{domain: \"one.{name}.test:{port}\", cookie: {name}.test}}{more}"
    );
    let people = tenant().yaml.replace("hosts: [localhost, 127.0.0.1]", &hosts);
    let yaml = people.replace("name: interop", &format!("name: {name}"));
    let clients = ["one", "two"].map(|host| {
        let host = format!("{host}.{name}.test");
        format!(
            "name: {host}\nconfig: {{ident: {host}, tenantname: {name}, scopes: [openid, profile], \
             redirect_urls: [\"http://{host}:{application}/callback\"]}}\n"
        )
    });
    let clients = Document { folder: "Clients", name, yaml: clients.join("---\n") };
    [Document { folder: "Tenants", name, yaml }, clients]
}

#[tokio::test]
async fn one_sign_in_is_good_for_three_hosts_and_one_sign_out_ends_it() {
    let (application, port) = (application().await, free_port());
    let tenants = [("acme", ""), ("globex", ""), ("initech", "\n  silent_login: false")];
    let documents: Vec<Document> =
        tenants.into_iter().flat_map(|(name, more)| documents(name, more, port, application)).collect();
    let _server = Server::start_at(port, &documents).await;
    let proxy = Proxy::start("nginx", &["nginx.conf"], &["-c"], port, upstream().await).await;
    let input = json!({
        "server": port, "application": application, "proxy": proxy.port, "username": USERNAME, "password": PASSWORD,
    });
    let findings = walk("browser/single-sign-on-journey.js", input).await;
    let everywhere = |finding: &str| json!({ "one": finding, "two": finding, "three": finding });
    let inside = json!({ "one": "code", "two": "code", "three": SUBJECT });
    let asked = everywhere("asked");
    for (step, expected) in [
        ("stranger", &asked),
        ("entered by an application", &json!(["asked", "code"])),
        ("signed in", &inside),
        ("at another tenant", &asked),
        ("entered by the proxy", &json!(["asked", SUBJECT])),
        ("signed in on the phone", &inside),
        ("sessions", &json!(2)),
        ("signed out", &asked),
        ("still signed in on the phone", &inside),
        ("signed out everywhere", &json!([asked, asked])),
        ("without silence, one", &json!(["asked", "code"])),
        ("without silence, two", &json!(["asked", "code"])),
        ("without silence, three", &json!(["asked", SUBJECT])),
        ("without silence, three again", &json!(SUBJECT)),
        ("complaints", &json!([])),
    ] {
        assert_eq!(findings.one(step), expected, "{step}");
    }
}
