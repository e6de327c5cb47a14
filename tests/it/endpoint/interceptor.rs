//! `/interceptor`: the response to a proxy, and what the application behind it receives.

use std::time::Duration;

use axum::http::Method;

use crate::harness::lines::{self, Lines};
use crate::harness::proxy::{path, token};
use crate::harness::{Browser, Proxy, RelyingParty, TestServer, fixtures};

const SHOP: &str = "https://shop.acme.example/cart?item=1&more=a%20b";
const WIKI: &str = "https://wiki.acme.example/";

async fn server(interceptor: &str, more: &str) -> TestServer {
    let hosts = r#"hosts: ["login.acme.example", "*.acme.example"]"#;
    let tenant = fixtures::tenant("acme", "login.acme.example")
        .replace(r#"hosts: ["login.acme.example"]"#, &format!("{hosts}\n  interceptor: {interceptor}\n  {more}"));
    let globex = fixtures::tenant("globex", "login.globex.example");
    let documents = format!("{tenant}\n---\n{}\n---\n{globex}", fixtures::clients("acme", ""));
    TestServer::start_with(&documents, &[]).await
}

async fn usual() -> TestServer {
    server("{domain: login.acme.example, cookie: .acme.example}", "").await
}

#[tokio::test]
async fn a_stranger_signs_in_and_is_back_where_they_wanted_to_be() {
    let server = usual().await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::new(&server));
    let held = proxy.ask(&browser, SHOP).await.expect(307);
    assert_eq!(held.header("authorization"), "");
    assert!(held.location().starts_with("https://login.acme.example/login?for=https%3A%2F%2Fshop.acme.example%2Fcart"));
    assert!(held.location().ends_with("&mode=interceptor"), "{held:#?}");
    let page = browser.visit(&path(held.location())).await.expect_page(200);
    assert!(page.body.contains("shop.acme.example"), "the page says where it leads");
    assert!(page.header("content-security-policy").ends_with("form-action 'self' https:"), "{page:#?}");
    let back = proxy.sign_in(&mut browser, &held).await.expect(303);
    assert_eq!(back.location(), SHOP);
    // The first one removes the cookie that the host alone may still have.
    let cookie = back.header_values("set-cookie").pop().expect("a cookie");
    assert!(cookie.contains("Domain=acme.example") && cookie.contains("uitsmijter-sso="), "{cookie}");
    let passed = proxy.ask(&browser, SHOP).await.expect(200);
    assert_eq!((passed.body.as_str(), passed.header("x-user-ident")), ("", "acme-ada"));
    assert_eq!(passed.header("cache-control"), "no-store");
    let claims = Proxy::claims(&passed);
    assert_eq!(claims["sub"], "acme-ada");
    assert_eq!(claims["iss"], "https://login.acme.example");
    assert_eq!(claims["aud"], "https://shop.acme.example");
    assert_eq!((&claims["tenant"], &claims["role"], &claims["user"]), (&"acme".into(), &"admin".into(), &"ada".into()));
    let userinfo = server.get_with_token("/userinfo", token(&passed)).await.expect(200);
    assert_eq!(userinfo.json()["name"], "Ada Lovelace");
}

#[tokio::test]
async fn one_sign_in_is_good_for_every_host_of_the_tenant_and_none_of_another() {
    let server = usual().await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::new(&server));
    proxy.enter(&mut browser, SHOP).await.expect(303);
    for application in [SHOP, WIKI, "https://a.acme.example/"] {
        proxy.ask(&browser, application).await.expect(200);
    }
    RelyingParty::new(&server, "spa").obtain_code_in(&mut browser, &[("prompt", "none")]).await;
    proxy.ask(&browser, "https://login.globex.example/").await.expect(403);
    proxy.ask(&browser, "https://nobody.example/").await.expect_error(403, "access_denied");
    // And a login URL that is still open in another window leads straight back.
    let late = browser.get("/login?for=https%3A%2F%2Fwiki.acme.example%2F&mode=interceptor").await;
    assert_eq!(late.expect(303).location(), WIKI);
}

#[tokio::test]
async fn a_page_with_a_hundred_images_costs_one_signature() {
    let server = usual().await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::new(&server));
    proxy.enter(&mut browser, SHOP).await.expect(303);
    let asked = futures_util::future::join_all((0..100).map(|_| proxy.ask(&browser, SHOP))).await;
    assert!(asked.iter().all(|answer| token(answer) == token(&asked[0])));
    assert!(server.app.services.metrics.encode().expect("metrics").contains("uitsmijter_tokens_signed_total"));
    let signed = signatures(&server);
    assert_eq!(signed, 1, "one key, one signature");
    // Another application gets its own token, which is valid nowhere else.
    assert_ne!(token(&proxy.ask(&browser, WIKI).await), token(&asked[0]));
    // Shortly before it expires the token is renewed.
    server.clock.advance(Duration::from_secs(2 * 3600 - 60));
    let renewed = proxy.ask(&browser, SHOP).await.expect(200);
    assert_ne!(token(&renewed), token(&asked[0]));
    assert_eq!(Proxy::claims(&renewed)["exp"].as_i64().expect("exp") - server.app.services.clock.now().0, 7200);
}

fn signatures(server: &TestServer) -> u64 {
    let text = server.app.services.metrics.encode().expect("metrics");
    let lines = text.lines().filter(|line| line.starts_with("uitsmijter_tokens_signed_total{"));
    lines.map(|line| line.rsplit(' ').next().expect("a number").parse::<u64>().expect("a number")).sum()
}

#[tokio::test]
async fn a_sign_out_reaches_every_application_at_once() {
    let server = usual().await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::new(&server));
    proxy.enter(&mut browser, SHOP).await.expect(303);
    let passed = proxy.ask(&browser, SHOP).await.expect(200);
    let stolen = browser.cookies.clone();
    let question = browser.get("/logout").await.expect_page(200);
    let gone = browser.post("/logout", &[("interaction", &question.hidden("interaction"))]).await.expect_page(200);
    let removed = gone.header_values("set-cookie");
    assert!(removed.iter().any(|cookie| cookie.contains("Domain=acme.example")), "{removed:?}");
    assert!(removed.iter().any(|cookie| !cookie.contains("Domain=")), "{removed:?}");
    proxy.ask(&browser, SHOP).await.expect(307);
    browser.cookies = stolen;
    proxy.ask(&browser, WIKI).await.expect(307);
    server.get_with_token("/userinfo", token(&passed)).await.expect(401);
}

#[tokio::test]
async fn a_form_is_not_sent_on_to_the_login_page_and_a_script_gets_no_page() {
    let server = usual().await;
    let browser = Browser::new(&server);
    let posts = Proxy { method: Method::POST, ..Proxy::new(&server) };
    posts.ask(&browser, SHOP).await.expect(303);
    let script = Proxy { accept: "application/json", ..Proxy::new(&server) };
    assert_eq!(script.ask(&browser, SHOP).await.expect(401).header("location"), "");
    let nginx = Proxy::new(&server).ask_with(&browser, "/interceptor", &[("x-original-url", SHOP)]).await.expect(401);
    assert!(nginx.header("location").starts_with("https://login.acme.example/login?"), "{nginx:#?}");
}

#[tokio::test]
async fn only_a_trusted_proxy_may_ask_and_only_with_one_voice() {
    let server = usual().await;
    let mut browser = Browser::new(&server);
    let proxy = Proxy::new(&server);
    proxy.enter(&mut browser, SHOP).await.expect(303);
    Proxy { address: [203, 0, 113, 9], ..Proxy::new(&server) }.ask(&browser, SHOP).await.expect(403);
    let forged = [("host", "shop.acme.example"), ("x-original-url", SHOP), ("x-forwarded-host", "wiki.acme.example")];
    proxy.ask_with(&browser, "/interceptor", &forged).await.expect(403);
    proxy.ask_with(&browser, "/interceptor", &[("host", "shop.acme.example")]).await.expect(403);
}

#[tokio::test]
async fn a_tenant_may_switch_it_off() {
    let server = server("{enabled: false, domain: login.acme.example}", "").await;
    Proxy::new(&server).ask(&Browser::new(&server), SHOP).await.expect(403);
}

#[tokio::test]
async fn without_silent_login_every_application_asks_for_the_password() {
    let server = server("{domain: login.acme.example, cookie: acme.example}", "silent_login: false").await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::new(&server));
    proxy.enter(&mut browser, SHOP).await.expect(303);
    proxy.ask(&browser, SHOP).await.expect(200);
    let held = proxy.ask(&browser, WIKI).await.expect(307);
    proxy.sign_in(&mut browser, &held).await.expect(303);
    proxy.ask(&browser, WIKI).await.expect(200);
    proxy.ask(&browser, SHOP).await.expect(200);
}

#[tokio::test]
async fn a_session_in_use_lasts_and_an_idle_one_ends() {
    let server = usual().await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::new(&server));
    proxy.enter(&mut browser, SHOP).await.expect(303);
    for _ in 0..10 {
        server.clock.advance(Duration::from_secs(4 * 86_400));
        let passed = proxy.ask(&browser, SHOP).await.expect(200);
        assert!(passed.header("set-cookie").contains("Max-Age=604800"), "the browser keeps it as long: {passed:#?}");
        assert_eq!(proxy.ask(&browser, SHOP).await.expect(200).header("set-cookie"), "");
    }
    server.clock.advance(Duration::from_secs(7 * 86_400));
    proxy.ask(&browser, SHOP).await.expect(307);
}

#[tokio::test]
async fn the_validation_script_ends_a_session_that_is_in_use() {
    // A backend script: a person may stay while their name has no exclamation mark.
    let script = r#"providers: ["class UserLoginProvider { constructor(c) { this.c = c; commit(true) }
      get canLogin() { return this.c.grant_type === 'interceptor' } get userProfile() { return {} } }
      class UserValidationProvider { constructor(c) { this.c = c; commit(true) }
      get isValid() { return !this.c.username.includes('!') } }"]"#;
    let server = server("{domain: login.acme.example, cookie: acme.example}", script).await;
    let proxy = Proxy::new(&server);
    for (username, status) in [("ada", 200), ("eve!", 307)] {
        let mut browser = Browser::new(&server);
        let held = proxy.ask(&browser, SHOP).await.expect(307);
        let page = browser.visit(&path(held.location())).await.expect_page(200);
        browser.sign_in_as(&page, username, "any").await.expect(303);
        proxy.ask(&browser, SHOP).await.expect(200);
        server.clock.advance(Duration::from_secs(6 * 60));
        proxy.ask(&browser, SHOP).await.expect(status);
        proxy.ask(&browser, WIKI).await.expect(status);
    }
}

#[tokio::test]
async fn a_cookie_that_does_not_reach_the_application_is_an_error_and_no_circle() {
    let server = server("{domain: login.acme.example}", "").await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::new(&server));
    let held = proxy.ask(&browser, SHOP).await.expect(307);
    browser.visit(&path(held.location())).await.expect_page(400);
}

#[tokio::test]
async fn the_cookie_is_for_the_domain_of_the_login_page_where_none_is_named() {
    let tenant = fixtures::tenant("acme", "x").replace(
        r#"hosts: ["x"]"#,
        "hosts: [\"*.acme.example\", acme.example]\n  interceptor: {domain: \"acme.example:18080\"}",
    );
    let server = TestServer::start_with(&tenant, &[]).await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::at(&server, "acme.example:18080"));
    let held = proxy.ask(&browser, SHOP).await.expect(307);
    let back = proxy.sign_in(&mut browser, &held).await.expect(303);
    assert_eq!(back.location(), SHOP);
    let cookies = back.header_values("set-cookie");
    assert!(cookies.iter().any(|cookie| cookie.contains("Domain=acme.example;")), "{cookies:?}");
    proxy.ask(&browser, SHOP).await.expect(200);
}

#[tokio::test]
async fn a_left_over_cookie_does_not_hide_the_good_one() {
    let server = usual().await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::new(&server));
    proxy.enter(&mut browser, SHOP).await.expect(303);
    let good = browser.session().expect("a session").clone();
    browser.cookies.insert("uitsmijter-sso".into(), format!("stale; uitsmijter-sso={good}"));
    proxy.ask(&browser, SHOP).await.expect(200);
}

#[tokio::test]
async fn the_host_of_the_login_page_needs_no_mention_among_the_hosts() {
    let tenant = fixtures::tenant("acme", "shop.acme.example")
        .replace("  users:", "  interceptor: {domain: signin.acme.example, cookie: acme.example}\n  users:");
    let server = TestServer::start_with(&tenant, &[]).await;
    let (proxy, mut browser) = (Proxy::new(&server), Browser::at(&server, "signin.acme.example"));
    let held = proxy.ask(&browser, SHOP).await.expect(307);
    assert_eq!(proxy.sign_in(&mut browser, &held).await.expect(303).location(), SHOP);
    proxy.ask(&browser, SHOP).await.expect(200);
}

#[tokio::test]
async fn a_proxy_cannot_turn_https_off_where_the_operator_turned_it_on() {
    let server = usual().await;
    let browser = Browser::new(&server);
    let proxy = Proxy::new(&server);
    let headers = [("host", "login.acme.example"), ("x-forwarded-proto", "http")];
    let discovery = proxy.ask_with(&browser, "/.well-known/openid-configuration", &headers).await.expect(200);
    assert_eq!(discovery.json()["issuer"], "https://login.acme.example");
    let login = proxy.ask_with(&browser, "/login", &headers).await.expect(303);
    assert!(login.header("set-cookie").contains("Secure"), "{login:#?}");
}

#[tokio::test]
async fn a_refusal_is_logged_once_for_each_host_and_not_for_each_request() {
    lines::heed_every_thread();
    let lines = Lines::default();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
    let _guard = tracing::subscriber::set_default(log);
    let server = usual().await;
    let (proxy, browser) = (Proxy::new(&server), Browser::new(&server));
    for _ in 0..3 {
        proxy.ask(&browser, "https://nobody.example/?token=hidden").await.expect(403);
        server.get_at("stranger.example", "/.well-known/jwks.json").await.expect_error(404, "unknown_host");
        let two = [
            ("host", "wiki.acme.example"),
            ("x-original-uri", "/"),
            ("x-original-url", "https://me:hidden@b.example/hidden"),
        ];
        proxy.ask_with(&browser, "/interceptor", &two).await.expect(403);
    }
    let log = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("request refused")).collect();
    assert_eq!(told.len(), 3, "{log}");
    for (line, host) in told.iter().zip(["nobody.example", "stranger.example", "b.example"]) {
        assert!(line.contains(&format!("host=\"{host}\"")) && line.contains("description="), "{line}");
    }
    assert!(!log.contains("hidden"), "{log}");
}
