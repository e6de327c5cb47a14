//! What proxies forward: whom it leads to, who is believed, and what may stand in documents that caches keep.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};

use crate::harness::fixtures;
use crate::harness::server::{ACME, GLOBEX, TestServer, form};
use crate::harness::{Answer, Browser};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const PROXY: [u8; 4] = [10, 1, 2, 3];
const STRANGER: [u8; 4] = [203, 0, 113, 9];

/// `GET path` from the machine `peer`, with these headers.
async fn get(server: &TestServer, peer: [u8; 4], path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path).extension(ConnectInfo(SocketAddr::from((peer, 4711))));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::empty()).expect("a request")).await
}

/// A production server; `TRUSTED_PROXIES` as given, or not set.
async fn production(trusted: Option<&str>) -> TestServer {
    let trusted: Vec<(&str, &str)> = trusted.map(|ranges| ("TRUSTED_PROXIES", ranges)).into_iter().collect();
    let environment = [&[("ENVIRONMENT", "production"), ("STORE_PATH", "/nowhere")][..], &trusted].concat();
    TestServer::start_changed(&fixtures::documents(), &environment, |settings| {
        settings.store.path = None;
        settings.login_protection.free_attempts_per_address = 3;
    })
    .await
}

#[tokio::test]
async fn a_proxy_that_addresses_one_tenant_and_names_another_is_refused_everywhere() {
    let server = TestServer::start().await;
    for path in [DISCOVERY, "/.well-known/jwks.json", "/login", "/userinfo", "/openapi.json"] {
        let answer = get(&server, PROXY, path, &[("host", ACME), ("x-forwarded-host", GLOBEX)]).await;
        assert_eq!(answer.status, 421, "{path}: {answer:#?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    // A name of the network inside leads to nobody, so only the proxy says who is meant.
    let inside = [("host", "uitsmijter.sso.svc:8080"), ("x-forwarded-host", GLOBEX)];
    assert_eq!(get(&server, PROXY, DISCOVERY, &inside).await.member("issuer"), format!("https://{GLOBEX}"));
    // A stranger's header is no proxy's.
    let answer = get(&server, STRANGER, DISCOVERY, &[("host", ACME), ("x-forwarded-host", GLOBEX)]).await;
    assert_eq!(answer.member("issuer"), format!("https://{ACME}"));
}

#[tokio::test]
async fn forward_auth_goes_by_the_original_url_whatever_host_the_proxy_addresses() {
    let documents = fixtures::documents();
    let server = TestServer::start_with(&documents, &[]).await;
    let headers =
        [("host", ACME), ("x-forwarded-host", GLOBEX), ("x-forwarded-uri", "/"), ("x-forwarded-proto", "https")];
    let answer = get(&server, PROXY, "/interceptor", &headers).await;
    assert_ne!(answer.status, 421, "{answer:#?}");
}

#[tokio::test]
async fn of_several_values_the_last_proxys_counts() {
    let server = TestServer::start().await;
    let inside = ("host", "uitsmijter.internal");
    for forged in [
        &[("x-forwarded-host", "evil.example, login.acme.example")][..],
        &[("x-forwarded-host", GLOBEX), ("x-forwarded-host", ACME)],
    ] {
        let answer = get(&server, PROXY, DISCOVERY, &[&[inside], forged].concat()).await;
        assert_eq!(answer.member("issuer"), format!("https://{ACME}"), "{forged:?}");
    }
    let plain = TestServer::start_with(&fixtures::documents(), &[("SECURE", "false")]).await;
    for (forwarded, scheme) in [("http, https", "https"), ("https, http", "http")] {
        let answer = get(&plain, PROXY, DISCOVERY, &[("host", ACME), ("x-forwarded-proto", forwarded)]).await;
        assert_eq!(answer.member("issuer"), format!("{scheme}://{ACME}"), "{forwarded}");
    }
}

#[tokio::test]
async fn no_port_that_nobody_declared_stands_in_a_document_or_a_redirect() {
    for (domain, issuer) in [
        ("", "https://login.acme.example"),
        ("login.acme.example", "https://login.acme.example"),
        ("login.acme.example:8443", "https://login.acme.example:8443"),
    ] {
        let server = TestServer::start_with(&fixtures::documents(), &[("PUBLIC_DOMAIN", domain)]).await;
        for host in ["login.acme.example:31337", "login.acme.example"] {
            let document = server.get_at(host, DISCOVERY).await.expect(200);
            assert_eq!(document.member("issuer"), issuer, "{domain} {host}");
            assert!(!document.body.contains("31337"), "{document:#?}");
            let refused = server.get_at(host, "/logout?post_logout_redirect_uri=x").await;
            assert!(!format!("{refused:?}").contains("31337"), "{refused:#?}");
        }
        let forwarded = [("host", "inside"), ("x-forwarded-host", "login.acme.example:31337")];
        assert_eq!(get(&server, PROXY, DISCOVERY, &forwarded).await.member("issuer"), issuer);
        assert!(server.get("/openapi.json").await.body.contains(issuer), "{domain}");
    }
    let other = TestServer::start_with(&fixtures::documents(), &[("PUBLIC_DOMAIN", "login.example:8443")]).await;
    let issuer = other.get_at("login.acme.example:8443", DISCOVERY).await.member("issuer");
    assert_eq!(issuer, "https://login.acme.example:8443", "the port of the installation is every host's");
}

#[tokio::test]
async fn public_documents_say_what_they_depend_on() {
    let server = TestServer::start().await;
    for path in [DISCOVERY, "/.well-known/oauth-authorization-server", "/.well-known/jwks.json", "/openapi.json"] {
        let answer = server.get(path).await.expect(200);
        let again = Request::get(path).header(header::IF_NONE_MATCH, answer.header("etag"));
        let again = server.send(again.body(Body::empty()).expect("a request")).await.expect(304);
        for answer in [answer, again] {
            assert!(answer.header("cache-control").starts_with("public, max-age="), "{path}: {answer:#?}");
            assert_eq!(answer.header("vary"), "host, x-forwarded-host, x-forwarded-proto", "{path}");
        }
    }
}

#[tokio::test]
async fn in_production_nobody_is_believed_of_whom_the_operator_says_nothing() {
    let server = production(None).await;
    let forwarded = [("host", ACME), ("x-forwarded-host", GLOBEX), ("x-forwarded-for", "198.51.100.1")];
    assert_eq!(get(&server, PROXY, DISCOVERY, &forwarded).await.member("issuer"), format!("https://{ACME}"));
    let asked = [("host", "x"), ("x-forwarded-host", ACME), ("x-forwarded-uri", "/")];
    get(&server, PROXY, "/interceptor", &asked).await.expect(403);
    let declared = production(Some("10.0.0.0/8")).await;
    let inside = [("host", "x"), ("x-forwarded-host", GLOBEX)];
    assert_eq!(get(&declared, PROXY, DISCOVERY, &inside).await.member("issuer"), format!("https://{GLOBEX}"));
}

/// Guesses of people with different names, all through `peer`, which says that they are at `behind`; answers how many
/// were looked at.
async fn guesses(server: &TestServer, peer: [u8; 4], behind: Option<&str>) -> usize {
    let mut looked_at = 0;
    for number in 0..5 {
        let mut browser = Browser::new(server);
        let page = browser.visit("/login").await.expect_page(200);
        let name = format!("name{number}");
        let fields = [("username", &*name), ("password", "wrong"), ("interaction", &page.hidden("interaction"))];
        let mut request = form("/login", &fields);
        let cookies: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.headers_mut().insert("cookie", cookies.join("; ").parse().expect("a header"));
        if let Some(behind) = behind {
            request.headers_mut().insert("x-forwarded-for", behind.parse().expect("a header"));
        }
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 4711))));
        looked_at += usize::from(server.send(request).await.status == 403);
    }
    looked_at
}

#[tokio::test]
async fn nobody_is_locked_out_behind_a_proxy_that_was_not_declared_and_readiness_names_it() {
    let server = production(None).await;
    assert!(server.get("/health/ready").await.expect(200).json()["undeclared_proxies"].is_null());
    assert_eq!(guesses(&server, PROXY, Some("198.51.100.1")).await, 5, "the whole world is behind that address");
    let ready = server.get("/health/ready").await.expect(200).json();
    assert_eq!(ready["undeclared_proxies"], serde_json::json!(["10.1.2.3"]));
    // Limits per name stay.
    let mut waits = Vec::new();
    for _ in 0..6 {
        waits.push(guess_ada(&server).await.header("retry-after").to_owned());
    }
    assert_eq!(waits, ["", "", "", "", "", "2"]);
}

async fn guess_ada(server: &TestServer) -> Answer {
    let fields = [("grant_type", "password"), ("client_id", "legacy"), ("username", "ada"), ("password", "wrong")];
    let mut request = form("/token", &fields);
    request.headers_mut().insert("x-forwarded-for", "198.51.100.1".parse().expect("a header"));
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((PROXY, 4711))));
    server.send(request).await
}

#[tokio::test]
async fn addresses_that_are_no_undeclared_proxies_are_held_to_account() {
    let server = production(None).await;
    for (peer, behind) in [(STRANGER, Some("198.51.100.1")), ([10, 9, 9, 9], None)] {
        assert_eq!(guesses(&server, peer, behind).await, 3, "{peer:?}");
    }
    let declared = production(Some("none")).await;
    assert_eq!(guesses(&declared, PROXY, Some("198.51.100.1")).await, 3, "nobody's, as the operator said");
    assert!(declared.get("/health/ready").await.json()["undeclared_proxies"].is_null());
}
