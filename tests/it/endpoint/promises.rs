//! The effects of settings and client keys, seen from outside.

use axum::body::Body;
use axum::http::{Request, header};

use crate::harness::fixtures::{self, CALLBACK};
use crate::harness::relying_party::{VERIFIER, challenge};
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

/// A server with an additional client of this name and these lines.
async fn server_with(ident: &str, lines: &str) -> TestServer {
    let client = format!(
        "name: {ident}\nconfig:\n  tenantname: acme\n  ident: {ident}\n  redirect_urls: ['{CALLBACK}']\n  scopes: [openid]\n  {lines}"
    );
    TestServer::start_with(&format!("{}\n---\n{client}", fixtures::documents()), &[]).await
}

#[tokio::test]
async fn pages_and_their_errors_keep_browsers_on_https_and_tell_nobody_where_they_were() {
    let server = TestServer::start().await;
    for path in ["/", "/login", "/nothing", "/logout", "/authorize", "/activate?interaction=x"] {
        let answer = Browser::new(&server).visit(path).await;
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{path}: {answer:#?}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn a_client_with_a_secret_may_be_told_to_use_pkce() {
    let server = server_with("strict-web", &format!("isPkceOnly: true\n  secret: '{}'", fixtures::SECRET)).await;
    let strict = RelyingParty::new(&server, "strict-web");
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    server.get(&strict.authorize_path(&without)).await.expect_error_redirect("invalid_request");
    let code = strict.obtain_code(&[]).await;
    let bare = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
    strict.token(&bare).await.expect_error(400, "invalid_grant");
    strict.redeem(&code).await.expect(200);
}

#[tokio::test]
async fn plain_challenges_are_for_clients_that_ask_for_them() {
    let server = server_with("old", "allow_plain_pkce: true").await;
    let plain = |challenge| [("code_challenge", challenge), ("code_challenge_method", "plain")];
    let spa = RelyingParty::new(&server, "spa");
    server.get(&spa.authorize_path(&plain(VERIFIER))).await.expect_error_redirect("invalid_request");
    let old = RelyingParty::new(&server, "old");
    old.redeem(&old.obtain_code(&plain(VERIFIER)).await).await.expect(200);
    // The other method does not bypass the comparison.
    let hashed = challenge();
    old.redeem(&old.obtain_code(&plain(&hashed)).await).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_client_with_referrers_is_entered_from_one_of_them() {
    let server = server_with("guarded", "referrers: ['https://app.acme.example/start']").await;
    let path = RelyingParty::new(&server, "guarded").authorize_path(&[]);
    let from = async |referrer: Option<&str>| -> Answer {
        let request = Request::get(&path);
        let request = referrer.into_iter().fold(request, |request, sent| request.header(header::REFERER, sent));
        server.send(request.body(Body::empty()).expect("a request")).await
    };
    from(Some("https://app.acme.example/start")).await.expect(303);
    for other in [None, Some("https://evil.example/start"), Some("https://app.acme.example/start/x")] {
        assert_eq!(from(other).await.expect_page(400).header("location"), "", "{other:?}");
    }
}

#[tokio::test]
async fn a_sign_out_removes_the_cookie_on_every_domain_it_may_be_on() {
    let domains = r#"{"login.acme.example":".acme.example"}"#;
    let server = TestServer::start_with(&fixtures::documents(), &[("COOKIE_DOMAINS", domains)]).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let hint = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200).member("id_token");
    let answer = browser.get(&format!("/logout?id_token_hint={hint}")).await.expect_page(200);
    let removals = answer.header_values("set-cookie");
    assert!(removals.iter().all(|cookie| cookie.contains("Max-Age=0")), "{removals:?}");
    let on_the_domain = removals.iter().filter(|cookie| cookie.contains("Domain=acme.example")).count();
    assert_eq!((removals.len(), on_the_domain), (2, 1), "one for the host alone: {removals:?}");
}

#[tokio::test]
async fn an_access_token_says_when_the_person_signed_in_and_is_like_no_other() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let signed_in_at = server.app.services.clock.now().0;
    let first = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200).access_claims();
    server.clock.advance(std::time::Duration::from_secs(90));
    let second = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200).access_claims();
    for claims in [&first, &second] {
        assert_eq!(claims["auth_time"], signed_in_at);
        assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() >= 16), "{claims}");
    }
    assert_ne!(first["jti"], second["jti"]);
}

#[test]
fn in_production_the_description_of_the_endpoints_is_off_unless_asked_for() {
    let production = [("ENVIRONMENT", "production"), ("STORE_PATH", "/nowhere/store")];
    assert!(!fixtures::settings(&production).openapi);
    assert!(fixtures::settings(&[&production[..], &[("OPENAPI", "true")]].concat()).openapi);
    assert!(fixtures::settings(&[]).openapi);
}
