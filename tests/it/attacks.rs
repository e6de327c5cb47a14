//! One test per attack; its name says what the attacker does not get.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::json;

use crate::harness::fixtures::{self, CALLBACK, PASSWORD, SECRET};
use crate::harness::relying_party::{VERIFIER, challenge};
use crate::harness::server::{ACME, form};
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

fn query(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path)
}

async fn send(server: &TestServer, request: axum::http::request::Builder) -> Answer {
    server.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn claims_that_are_nested_deeply_do_not_break_the_sign_in() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for levels in [33, 100, 120, 124, 127] {
        let claims = format!(r#"{{"id_token":{{"a":{}{}}}}}"#, "[".repeat(levels), "]".repeat(levels));
        let answer = server.get(&spa.authorize_path(&[("claims", &claims)])).await;
        answer.expect_error_redirect("invalid_request");
    }
    let usual = json!({ "id_token": { "acr": { "essential": true, "values": ["1"] } }, "userinfo": { "name": null } });
    spa.obtain_code(&[("claims", &usual.to_string())]).await;
}

#[tokio::test]
async fn a_scope_of_thousands_of_tokens_costs_nothing() {
    let documents = fixtures::documents().replace("scopes: [openid, profile]", "scopes: [openid, profile, \"x*\"]");
    let server = TestServer::start_with(&documents, &[]).await;
    let shop = RelyingParty::new(&server, "shop");
    let scope: String = (0..2500).map(|n| format!("x{n} ")).collect();
    server.get(&shop.authorize_path(&[("scope", &scope)])).await.expect_error_redirect("invalid_scope");
    // The maximum number can be requested.
    let scope = (0..256).map(|n| format!("x{n}")).collect::<Vec<_>>().join(" ");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&shop.authorize_path(&[("scope", &scope)])).await;
    assert!(browser.sign_in(&page).await.expect_page(200).body.contains("x255"));
}

#[tokio::test]
async fn a_resource_cannot_smuggle_line_breaks_into_a_token() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for resource in [
        "https://api.example/\nx",
        "https://api.example/\tx",
        " https://api.example",
        &format!("a:{}", "x".repeat(20_000)),
    ] {
        let answer = server.get(&spa.authorize_path(&[("resource", resource)])).await;
        assert!(answer.query().contains_key("error"), "{answer:#?}");
    }
}

#[tokio::test]
async fn a_stranger_cannot_fill_the_store_with_long_requests() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let long = "x".repeat(9000);
    let answer = server.get(&spa.authorize_path(&[("nonce", &long), ("login_hint", &long)])).await;
    answer.expect_error_redirect("invalid_request");
    assert_eq!(store.writes(), 0);
    for _ in 0..400 {
        server.get(&spa.authorize_path(&[("nonce", &long)])).await.expect(303);
    }
    // A step and its place, for each place of a tenant.
    assert!(store.rows() <= 2 * 256, "{}", store.rows());
}

#[tokio::test]
async fn a_session_cannot_borrow_the_credentials_of_another_one() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    // An attacker holds the cookie of ada's session, but not her password.
    let mut ada = Browser::new(&server);
    spa.obtain_code_in(&mut ada, &[]).await;
    let stolen = ada.session().expect("a session").clone();
    let mut thief = Browser::new(&server);
    let page = thief.visit(&spa.authorize_path(&[("prompt", "login")])).await;
    let interaction = page.hidden("interaction");
    let fields = [("username", "bob"), ("password", PASSWORD), ("interaction", interaction.as_str())];
    let answer = thief.post("/login", &fields).await;
    thief.take_session(stolen);
    let answer = thief.get(answer.location()).await;
    assert!(answer.location().starts_with("/login"), "ada's password is asked for: {answer:#?}");
}

#[tokio::test]
async fn a_session_cannot_borrow_the_consent_of_another_one() {
    let server = TestServer::start().await;
    let shop = RelyingParty::new(&server, "shop");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&shop.authorize_path(&[])).await;
    let question = browser.sign_in_as(&page, "bob", PASSWORD).await.expect_page(200);
    let interaction = question.hidden("interaction");
    let answer = browser.post("/consent", &[("interaction", &interaction), ("decision", "allow")]).await;
    let mut ada = Browser::new(&server);
    RelyingParty::new(&server, "spa").obtain_code_in(&mut ada, &[]).await;
    browser.take_session(ada.session().expect("a session").clone());
    let answer = browser.get(answer.location()).await;
    assert!(answer.location().starts_with("/consent"), "ada is asked herself: {answer:#?}");
}

#[tokio::test]
async fn a_code_does_not_outlive_the_session_in_which_it_was_given() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let offline = spa.obtain_code_in(&mut browser, &[("scope", "openid offline_access")]).await;
    let question = browser.get("/logout").await.expect_page(200);
    browser.post("/logout", &[("interaction", &question.hidden("interaction"))]).await.expect_page(200);
    spa.redeem(&code).await.expect_error(400, "invalid_grant");
    spa.redeem(&offline).await.expect(200);
}

#[tokio::test]
async fn a_logout_form_from_another_site_signs_out() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let hint = spa.redeem(&code).await.expect(200).member("id_token");
    let fields = [
        ("id_token_hint", hint.as_str()),
        ("post_logout_redirect_uri", "https://app.acme.example/bye"),
        ("state", "a b"),
    ];
    // SameSite=Lax: the form comes without cookies, the redirect that follows it with them.
    let answer = server.post("/logout", &fields).await;
    assert!(answer.location().starts_with("/logout?"), "{answer:#?}");
    let answer = browser.get(answer.location()).await;
    assert_eq!(answer.location(), "https://app.acme.example/bye?state=a+b");
    browser.get(&spa.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
}

#[tokio::test]
async fn a_neighbour_cannot_plant_the_cookie_that_tells_browsers_apart() {
    let server = TestServer::start().await;
    let answer = server.get("/login").await;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-uitsmijter-browser=") && !cookie.contains("Domain"), "{cookie}");
    // The neighbour began a step and plants what it can: a cookie for the whole domain, under the plain name.
    let value = cookie.split(['=', ';']).nth(1).expect("a value");
    let path = answer.location().to_owned();
    let planted = request(Method::GET, &path).header(header::COOKIE, format!("uitsmijter-browser={value}"));
    assert_eq!(send(&server, planted).await.status, 400);
    let own = request(Method::GET, &path).header(header::COOKIE, format!("__Host-uitsmijter-browser={value}"));
    assert_eq!(send(&server, own).await.status, 200);
}

#[tokio::test]
async fn a_dead_cookie_beside_the_living_one_locks_nobody_out() {
    let domains = [("COOKIE_DOMAINS", r#"{"login.acme.example": ".acme.example"}"#)];
    let server = TestServer::start_with(&fixtures::documents(), &domains).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    let living = browser.session().expect("a session").clone();
    // Also as many as a neighbour can plant, one for each path.
    let many = ["x".repeat(43), "y".repeat(43), "z".repeat(43), "0".repeat(43)].join("; uitsmijter-sso=");
    for planted in ["x".repeat(43), "x".repeat(5000), String::new(), many] {
        let cookies = format!("uitsmijter-sso={planted}; uitsmijter-sso={living}");
        let silent = request(Method::GET, &spa.authorize_path(&[("prompt", "none")])).header(header::COOKIE, cookies);
        spa.code_of(&send(&server, silent).await);
    }
}

#[tokio::test]
async fn a_sign_in_for_a_domain_removes_the_cookie_of_the_host() {
    let documents = fixtures::documents().replace("hosts:", "interceptor: { cookie: \".acme.example\" }\n  hosts:");
    let server = TestServer::start_with(&documents, &[]).await;
    let mut browser = Browser::new(&server);
    let page = browser.visit("/login").await;
    let fields = [("username", "ada"), ("password", PASSWORD), ("interaction", &page.hidden("interaction"))];
    let answer = browser.post("/login", &fields).await;
    let cookies = answer.header_values("set-cookie");
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert!(cookies[0].contains("Max-Age=0") && !cookies[0].contains("Domain"), "{cookies:?}");
    assert!(cookies[1].contains("Domain=acme.example") && !cookies[1].contains("Max-Age=0"), "{cookies:?}");
}

#[tokio::test]
async fn an_ambiguous_host_belongs_to_no_tenant() {
    let server = TestServer::start().await;
    let discovery = "/.well-known/openid-configuration";
    for host in [
        "login%2eacme.example",
        "login.acme\t.example",
        "x@login.acme.example",
        "login.acme.example, evil",
        "",
        ":443",
        "[::1",
    ] {
        let answer = server.get_at(host, discovery).await;
        assert_eq!(answer.status, 400, "{host:?}: {answer:#?}");
        assert_eq!(server.get_at(host, "/authorize").await.expect_page(400).header("allow"), "");
    }
    let twice = request(Method::GET, discovery).header(header::HOST, ACME).header(header::HOST, "evil.example");
    send(&server, twice).await.expect_error(400, "invalid_request");
    for host in
        ["evil.example", "127.0.0.1", "[::1]:80", "xn--lgin-1qa.acme.example", "login.acme.example.evil.example"]
    {
        assert_eq!(server.get_at(host, discovery).await.status, 404, "{host}");
    }
    for host in ["LOGIN.acme.example", "login.acme.example.", "login.acme.example:443"] {
        assert_eq!(server.get_at(host, discovery).await.member("issuer"), "https://login.acme.example", "{host}");
    }
    // Headers of an untrusted proxy are ignored.
    let spoofed = request(Method::GET, discovery)
        .header("x-forwarded-host", "login.globex.example")
        .header("x-forwarded-proto", "http")
        .header("forwarded", "host=login.globex.example");
    assert_eq!(send(&server, spoofed).await.member("issuer"), "https://login.acme.example");
    // The target of the request line wins over Host (RFC 9112 §3.2.2).
    let absolute = request(Method::GET, "https://login.globex.example/.well-known/openid-configuration");
    assert_eq!(send(&server, absolute).await.member("issuer"), "https://login.globex.example");
}

#[tokio::test]
async fn an_unsupported_method_is_told_the_allowed_ones() {
    let server = TestServer::start().await;
    for (method, path, page) in [
        (Method::DELETE, "/authorize", true),
        (Method::PUT, "/login", true),
        (Method::TRACE, "/", true),
        (Method::PATCH, "/logout", true),
        (Method::GET, "/token", false),
        (Method::PUT, "/introspect", false),
        (Method::DELETE, "/userinfo", false),
        (Method::POST, "/.well-known/jwks.json", false),
        (Method::from_bytes(b"INVENTED").expect("a method"), "/token", false),
    ] {
        let answer = send(&server, request(method.clone(), path)).await.expect(405);
        assert!(!answer.header("allow").is_empty(), "{method} {path}: {answer:#?}");
        assert_eq!(answer.header("content-type").starts_with("text/html"), page, "{method} {path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{method} {path}");
    }
    assert_eq!(send(&server, request(Method::OPTIONS, "/token")).await.status, 204);
    for path in ["/authorize", "/introspect"] {
        let answer =
            send(&server, request(Method::OPTIONS, path).header(header::ORIGIN, "https://app.acme.example")).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}

#[tokio::test]
async fn two_credentials_in_one_request_are_refused() {
    let server = TestServer::start().await;
    let basic = crate::harness::relying_party::basic("web", SECRET);
    let mut twice = form("/token", &[("grant_type", "client_credentials")]);
    twice.headers_mut().append(header::AUTHORIZATION, basic.parse().expect("a header"));
    twice.headers_mut().append(header::AUTHORIZATION, "Bearer x".parse().expect("a header"));
    server.send(twice).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn a_json_body_with_a_parameter_twice_is_refused_and_never_repeated() {
    let server = TestServer::start().await;
    let post = |body: String| {
        let request = Request::post("/token").header(header::CONTENT_TYPE, "application/json");
        server.send(request.body(Body::from(body)).expect("a request"))
    };
    let twice = r#"{"client_id":"legacy","grant_type":"password","username":"eve","username":"ada","password":"x"}"#;
    post(twice.to_owned()).await.expect_error(400, "invalid_request");
    let nested = post(r#"{"client_id":"legacy","hunter2-hunter2":{"a":1}}"#.to_owned()).await;
    assert!(!nested.expect_error(400, "invalid_request").body.contains("hunter2"), "a name is input, too");
    post("[".repeat(60_000)).await.expect_error(400, "invalid_request");
}

/// RFC 6749 §4.1.2.1 and protocol.md: without the store, the response says so, and when to try again.
#[tokio::test]
async fn a_store_that_is_away_is_no_internal_error() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[])).await;
    let code = spa.code_of(&browser.sign_in(&page).await);
    let tokens = spa.redeem(&code).await.expect(200);
    let (access, refresh) = (tokens.member("access_token"), tokens.member("refresh_token"));
    let web = RelyingParty::new(&server, "web");
    let interaction = browser.visit("/login").await.hidden("interaction");
    let pending = browser.visit(&spa.authorize_path(&[("prompt", "login")])).await.hidden("interaction");
    let question = browser.visit("/logout").await.hidden("interaction");
    server.get("/health/ready").await.expect(200);
    store.go_away(true);
    let machines = [
        spa.redeem(&code).await,
        spa.refresh(&refresh).await,
        server.get_with_token("/userinfo", &access).await,
        spa.post("/revoke", &[("token", &access)]).await,
        spa.post("/revoke", &[("token", &refresh)]).await,
        web.post("/introspect", &[("token", &access)]).await,
        web.post("/introspect", &[("token", "x")]).await,
        RelyingParty::new(&server, "legacy")
            .token(&[("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)])
            .await,
    ];
    for answer in machines {
        let answer = answer.expect_error(503, "temporarily_unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    let fields = [("username", "ada"), ("password", PASSWORD), ("interaction", interaction.as_str())];
    let people = [
        browser.get("/").await,
        browser.post("/login", &fields).await,
        browser.get("/login?interaction=stored").await,
        browser.get(&format!("/consent?interaction={pending}")).await,
        browser.get("/logout").await,
        browser.post("/logout", &[("interaction", &question)]).await,
        browser.post("/login", &[("interaction", "stored")]).await,
    ];
    for answer in people {
        let answer = answer.expect_page(503);
        assert!(answer.body.contains("temporarily_unavailable") && !answer.body.contains("refused"), "{answer:#?}");
        assert!(!answer.header("retry-after").is_empty());
    }
    for path in [&spa.authorize_path(&[("prompt", "none")]), &format!("/authorize?interaction={pending}")] {
        browser.get(path).await.expect_error_redirect("temporarily_unavailable");
    }
    // What needs no store keeps working.
    browser.visit("/login").await.expect_page(200);
    Browser::new(&server).visit(&spa.authorize_path(&[])).await.expect_page(200);
    server.get("/.well-known/openid-configuration").await.expect(200);
    server.get("/health").await.expect(200);
    let ready = server.get("/health/ready").await.expect(200).json();
    assert_eq!(ready["store"], false, "said, and no reason to take the rest away: {ready}");
    RelyingParty::new(&server, "service").token(&[("grant_type", "client_credentials")]).await.expect(200);
    store.go_away(false);
    spa.refresh(&refresh).await.expect(200);
}

#[tokio::test]
async fn a_flood_of_wrong_slow_secrets_locks_nobody_out() {
    let hash = uitsmijter::login::password::hash(SECRET, &uitsmijter::random::SystemRandom);
    let documents =
        fixtures::documents().replace(&format!("secret: \"{SECRET}\""), &format!("secret_hash: \"{hash}\""));
    let server = TestServer::start_with(&documents, &[]).await;
    let fields = [("grant_type", "client_credentials"), ("client_id", "service"), ("client_secret", "wrong")];
    let answers = futures_util::future::join_all((0..60).map(|_| server.post("/token", &fields))).await;
    for answer in answers {
        answer.expect_error(401, "invalid_client");
    }
    RelyingParty::new(&server, "service").token(&[("grant_type", "client_credentials")]).await.expect(200);
}

#[tokio::test]
async fn pkce_cannot_be_talked_away() {
    let server = TestServer::start().await;
    let web = RelyingParty::new(&server, "web");
    // Requested without a challenge, redeemed with a verifier; and vice versa (RFC 9700 §4.8.2).
    let code = web.obtain_code(&[("code_challenge", ""), ("code_challenge_method", "")]).await;
    web.redeem(&code).await.expect_error(400, "invalid_grant");
    let code = web.obtain_code(&[]).await;
    let bare = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
    web.token(&bare).await.expect_error(400, "invalid_grant");
    for verifier in [VERIFIER.to_lowercase(), challenge(), "x".repeat(200), format!("{VERIFIER}=")] {
        let fields = [&bare[..], &[("code_verifier", verifier.as_str())]].concat();
        web.token(&fields).await.expect_error(400, "invalid_grant");
    }
    web.redeem(&code).await.expect(200);
}

#[tokio::test]
async fn headers_cannot_be_injected_through_parameters() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for name in
        ["state", "redirect_uri", "ui_locales", "client_id", "login_hint", "nonce", "acr_values", "id_token_hint"]
    {
        for value in ["a\r\nSet-Cookie: x=1", "a\nx", "a\0b", "a\u{85}b", "\u{1b}[31m"] {
            let answer = server.get(&spa.authorize_path(&[(name, value)])).await;
            assert!(answer.header_values("set-cookie").iter().all(|cookie| !cookie.contains("x=1")), "{answer:#?}");
            let refused = answer.status == 400 || answer.query().get("error").is_some_and(|e| e == "invalid_request");
            assert!(refused, "{name}={value:?}: {answer:#?}");
        }
    }
    let answer = server.get(&format!("/login?{}", query(&[("for", "https://login.acme.example/\r\nx: y")]))).await;
    answer.expect_page(400);
}
