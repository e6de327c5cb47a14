//! The session cookie: only its own host can set it where that is possible, and nobody becomes somebody else by a cookie
//! that a neighbour planted.

use axum::body::Body;
use axum::http::{Request, header};

use crate::harness::fixtures::{self, PASSWORD};
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

const OWN: &str = "__Host-uitsmijter-sso";
const SHARED: &str = "uitsmijter-sso";

/// A sign-in of `username` in a fresh browser; the value of the session's cookie.
async fn session_of(server: &TestServer, username: &str) -> String {
    let mut browser = Browser::new(server);
    let page = browser.visit("/login").await.expect_page(200);
    browser.sign_in_as(&page, username, PASSWORD).await.expect_page(200);
    browser.session().expect("a session").clone()
}

/// An authorization request without pages, with these cookies.
async fn silently(server: &TestServer, cookies: &[(&str, &str)]) -> Answer {
    let path = RelyingParty::new(server, "spa").authorize_path(&[("prompt", "none")]);
    let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = Request::get(path).header(header::COOKIE, cookies.join("; "));
    server.send(request.body(Body::empty()).expect("a request")).await
}

/// The person for whom that gives a code.
async fn person(server: &TestServer, cookies: &[(&str, &str)]) -> String {
    let spa = RelyingParty::new(server, "spa");
    let code = spa.code_of(&silently(server, cookies).await);
    let tokens = spa.redeem(&code).await.expect(200);
    tokens.access_claims()["sub"].as_str().expect("a subject").to_owned()
}

#[tokio::test]
async fn without_a_cookie_domain_the_cookie_is_one_that_no_neighbour_can_plant() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let page = browser.visit("/login").await;
    let fields = [("username", "ada"), ("password", PASSWORD), ("interaction", &page.hidden("interaction"))];
    let answer = browser.post("/login", &fields).await.expect(303);
    let cookies = answer.header_values("set-cookie");
    let set: Vec<_> = cookies.iter().filter(|cookie| !cookie.contains("Max-Age=0")).collect();
    assert!(set.len() == 1 && set[0].starts_with(OWN) && !set[0].contains("Domain"), "{cookies:?}");
    let (ada, bob) = (session_of(&server, "ada").await, session_of(&server, "bob").await);
    for cookies in [[(OWN, &*ada), (SHARED, &*bob)], [(SHARED, &*bob), (OWN, &*ada)]] {
        assert_eq!(person(&server, &cookies).await, "acme-ada", "{cookies:?}");
    }
    silently(&server, &[(SHARED, &bob)]).await.expect_error_redirect("login_required");
    let question = browser.visit("/logout").await.expect_page(200);
    let gone = browser.post("/logout", &[("interaction", &question.hidden("interaction"))]).await;
    assert!(browser.session().is_none(), "{gone:#?}");
}

#[tokio::test]
async fn of_two_cookies_of_different_people_neither_counts() {
    let domains = [("COOKIE_DOMAINS", r#"{"login.acme.example": ".acme.example"}"#)];
    let server = TestServer::start_with(&fixtures::documents(), &domains).await;
    let (ada, bob) = (session_of(&server, "ada").await, session_of(&server, "bob").await);
    for cookies in [[(SHARED, &*bob), (SHARED, &*ada)], [(SHARED, &*ada), (SHARED, &*bob)]] {
        silently(&server, &cookies).await.expect_error_redirect("login_required");
    }
    // One that remains beside that of a domain is the same person's.
    let again = session_of(&server, "ada").await;
    assert_eq!(person(&server, &[(SHARED, &*ada), (SHARED, &*again)]).await, "acme-ada");
    assert_eq!(person(&server, &[(SHARED, &*bob)]).await, "bob");
}

#[tokio::test]
async fn until_every_replica_reads_the_new_name_the_old_one_is_set_and_it_counts_after_that() {
    let server = TestServer::start().await;
    server.meet_an_older_replica().await;
    let mut ada = Browser::new(&server);
    let page = ada.visit("/login").await.expect_page(200);
    ada.sign_in(&page).await.expect_page(200);
    assert_eq!(ada.cookies.get(SHARED), ada.session(), "a replica of the version before reads this name alone");
    let session = ada.session().expect("a session").clone();
    server.lose_the_older_replica().await;
    assert_eq!(person(&server, &[(SHARED, &session)]).await, "acme-ada");
    let page = ada.visit("/login").await.expect_page(200);
    ada.sign_in(&page).await.expect_page(200);
    assert!(ada.cookies.contains_key(OWN) && !ada.cookies.contains_key(SHARED), "{:?}", ada.cookies);
}

#[tokio::test]
async fn who_signed_in_before_the_operator_chose_a_cookie_domain_signs_in_once_more() {
    let server = TestServer::start().await;
    let mut ada = Browser::new(&server);
    let page = ada.visit("/login").await.expect_page(200);
    ada.sign_in(&page).await.expect_page(200);
    let documents = fixtures::documents().replacen("hosts:", "interceptor: { cookie: \".acme.example\" }\n  hosts:", 1);
    let changed = crate::harness::server::registry(&documents);
    server.app.registry.replace(changed.current().as_ref().clone(), Vec::new());
    silently(&server, &[(OWN, ada.session().expect("a session"))]).await.expect_error_redirect("login_required");
    let page = ada.visit("/login").await.expect_page(200);
    ada.sign_in_as(&page, "bob", PASSWORD).await.expect_page(200);
    assert!(ada.cookies.contains_key(SHARED) && !ada.cookies.contains_key(OWN), "{:?}", ada.cookies);
}
