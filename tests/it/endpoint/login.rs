//! `/login`: the form, the session and its cookie.

use axum::body::Body;
use axum::http::{Request, header};

use crate::harness::fixtures::{self, PASSWORD};
use crate::harness::{Browser, RelyingParty, TestServer};

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[])).await;
    let mut bodies = Vec::new();
    for (username, password) in [("ada", "wrong"), ("eve", PASSWORD), ("eve", ""), ("ADA", PASSWORD)] {
        let answer = browser.sign_in_as(&page, username, password).await.expect_page(403);
        assert!(answer.body.contains("data-error=\"invalid_credentials\""), "{answer:#?}");
        assert!(browser.session().is_none());
        bodies.push(answer.body.replace(&format!("value=\"{username}\""), "value=\"NAME\""));
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
    spa.code_of(&browser.sign_in(&page).await);
}

#[tokio::test]
async fn every_sign_in_gets_a_fresh_cookie_and_the_old_one_dies() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    let first = browser.session().expect("a session").clone();
    spa.obtain_code_in(&mut browser, &[("prompt", "login")]).await;
    assert_ne!(*browser.session().expect("a session"), first);
    let mut thief = Browser::new(&server);
    thief.take_session(first);
    thief.get(&spa.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
}

#[tokio::test]
async fn a_session_of_one_tenant_is_nothing_at_another() {
    let server = TestServer::start().await;
    let mut acme = Browser::new(&server);
    RelyingParty::new(&server, "spa").obtain_code_in(&mut acme, &[]).await;
    let mut globex = Browser::at(&server, crate::harness::server::GLOBEX);
    globex.cookies = acme.cookies.clone();
    let other = RelyingParty::new(&server, "globex-spa");
    globex.get(&other.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
}

#[tokio::test]
async fn a_form_without_its_browser_starts_over() {
    let server = TestServer::start().await;
    let fields = [("username", "ada"), ("password", PASSWORD), ("interaction", "made-up")];
    let mut browser = Browser::new(&server);
    let page = browser.post("/login", &fields).await.expect_page(400);
    assert!(page.body.contains("data-error=\"expired\""));
    assert!(browser.session().is_none(), "a forged form signs nobody in");
    // The fresh form on that page works.
    browser.sign_in(&page).await.expect_page(200);
    assert!(browser.session().is_some());
}

#[tokio::test]
async fn a_sign_in_without_an_application_leads_home_or_to_a_page_of_the_tenant() {
    let host = r#"hosts: ["login.acme.example"]"#;
    let with = r#"hosts: ["login.acme.example", "login.acme.example:9443"]"#;
    let server = TestServer::start_with(&fixtures::documents().replace(host, with), &[]).await;
    for (target, leads_to) in [
        ("https://login.acme.example/somewhere?x=1", "https://login.acme.example/somewhere?x=1"),
        ("https://evil.example/", "/"),
        ("https://login.globex.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://login.acme.example@evil.example/", "/"),
        ("https://login.acme.example\\@evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("https://login.acmе.example/", "/"),
        ("\\\\evil.example/", "/"),
        ("https:evil.example", "/"),
        ("https:/evil.example", "/"),
        ("https://ada@login.acme.example/", "/"),
        ("https://ada:secret@login.acme.example/", "/"),
        // Cookies ignore schemes and ports, so these must be declared.
        ("https://login.acme.example:8443/x", "/"),
        ("https://login.acme.example:1337/", "/"),
        ("http://login.acme.example/", "/"),
        ("http://login.acme.example:1337/", "/"),
        ("ftp://login.acme.example/", "/"),
        ("https://login.acme.example:443/x", "https://login.acme.example/x"),
        ("https://login.acme.example:9443/x", "https://login.acme.example:9443/x"),
        ("https://LOGIN.acme.example/x", "https://login.acme.example/x"),
    ] {
        let mut browser = Browser::new(&server);
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("for", target).finish();
        let page = browser.visit(&format!("/login?{query}")).await.expect_page(200);
        let fields = [("username", "ada"), ("password", PASSWORD), ("interaction", &page.hidden("interaction"))];
        let answer = browser.post("/login", &fields).await;
        assert_eq!(answer.location(), leads_to, "{target}");
    }
}

#[tokio::test]
async fn an_address_with_a_tab_in_it_is_no_address() {
    let server = TestServer::start().await;
    for target in ["ht%09tps://evil.example/", "https://login.acme.example%09@evil.example/", "%09//evil.example/"] {
        Browser::new(&server).visit(&format!("/login?for={target}")).await.expect_page(400);
    }
}

#[tokio::test]
async fn the_page_speaks_the_persons_language() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[("ui_locales", "de")])).await.expect_page(200);
    assert!(page.body.contains("lang=\"de\"") && page.body.contains("Anmelden"), "{page:#?}");
    let request = Request::get("/authorize").header(header::ACCEPT_LANGUAGE, "nl, de;q=0.5").body(Body::empty());
    let page = server.send(request.expect("a request")).await.expect_page(400);
    assert!(page.body.contains("lang=\"nl\""));
}

#[tokio::test]
async fn a_wish_for_a_language_holds_until_the_last_page() {
    let server = TestServer::start().await;
    let german = |page: &crate::harness::Answer| assert!(page.body.contains("lang=\"de\""), "{page:#?}");
    let mut browser = Browser::new(&server);
    let page = browser.visit("/login?for=https%3A%2F%2Flogin.acme.example%2Fx&ui_locales=de").await.expect_page(200);
    german(&page);
    german(&browser.sign_in_as(&page, "ada", "wrong").await.expect_page(403));
    let stale = [("interaction", "gone"), ("ui_locales", &*page.hidden("ui_locales"))];
    german(&browser.post("/login", &stale).await.expect_page(400));

    let mut browser = Browser::new(&server);
    let page = browser.visit("/activate?user_code=BBBB-BBBB&ui_locales=de").await.expect_page(200);
    german(&page);
    let page = browser.sign_in(&page).await.expect_page(400);
    german(&page);
    german(&browser.post("/activate", &[("interaction", "gone"), ("ui_locales", "de")]).await.expect_page(400));

    let unknown = [("client_id", "nobody"), ("redirect_uri", "https://nobody.example/"), ("ui_locales", "de")];
    german(&browser.post("/authorize", &unknown).await.expect_page(400));

    let shop = RelyingParty::new(&server, "shop");
    let wishes = [("scope", "openid"), ("response_mode", "form_post"), ("ui_locales", "de")];
    let question = browser.visit(&shop.authorize_path(&wishes)).await.expect_page(200);
    german(&question);
    for decision in ["deny", "allow"] {
        let question = browser.visit(&shop.authorize_path(&wishes)).await.expect_page(200);
        let answer = [("interaction", &*question.hidden("interaction")), ("decision", decision)];
        let sent = browser.post("/consent", &answer).await;
        german(&browser.follow(sent).await.expect_page(200));
    }
}

#[tokio::test]
async fn what_a_person_typed_comes_back_escaped() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let page = browser.visit("/login").await;
    let answer = browser.sign_in_as(&page, "\"><script>alert(1)</script>", "x").await.expect_page(403);
    assert!(!answer.body.contains("<script>"), "{answer:#?}");
    assert!(answer.body.contains("&lt;script&gt;"));
    assert!(!answer.body.contains("value=\"x\""), "a password never comes back");
}
