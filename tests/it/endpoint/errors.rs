//! Every error code: once as JSON, and once by redirect.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::header;
use uitsmijter::store::digest;

use crate::harness::fixtures::{self, CALLBACK, PASSWORD};
use crate::harness::relying_party::basic;
use crate::harness::server::form;
use crate::harness::{Answer, Browser, RelyingParty, TestServer};
use crate::store::fixture::OneChange;

/// A code, its status, and a response that should carry both.
type Told = (&'static str, u16, Answer);

/// The errors of `/token`.
async fn of_the_token_endpoint(server: &TestServer) -> Vec<Told> {
    let (spa, service) = (RelyingParty::new(server, "spa"), RelyingParty::new(server, "service"));
    let own = ("grant_type", "client_credentials");
    let broken = "a code whose record cannot be read";
    let key = format!("{{acme}}code:{}", digest(broken));
    let backend = server.app.store.backend();
    backend.put(&key, b"no JSON", &[], Duration::from_secs(60)).await.expect("a store");
    let password = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
    let mut wrong_secret = form("/token", &[own]);
    wrong_secret.headers_mut().insert(header::AUTHORIZATION, basic("service", "wrong").parse().expect("a header"));
    vec![
        ("invalid_request", 400, service.token(&[]).await),
        ("invalid_client", 401, server.send(wrong_secret).await),
        ("invalid_grant", 400, spa.redeem("unknown").await),
        ("unauthorized_client", 400, service.token(&password).await),
        ("unsupported_grant_type", 400, service.token(&[("grant_type", "magic")]).await),
        ("invalid_scope", 400, service.token(&[own, ("scope", "secret")]).await),
        ("invalid_target", 400, service.token(&[own, ("resource", "https://other.example/")]).await),
        ("server_error", 500, spa.redeem(broken).await),
    ]
}

/// The errors of a polling device.
async fn of_a_device(server: &TestServer) -> Vec<Told> {
    let tv = RelyingParty::new(server, "tv");
    let started = tv.post("/device_authorization", &[]).await.expect(200);
    let code = started.member("device_code");
    let fields = [("grant_type", "device_code"), ("device_code", code.as_str())];
    let mut told =
        vec![("authorization_pending", 400, tv.token(&fields).await), ("slow_down", 400, tv.token(&fields).await)];
    let mut browser = Browser::new(server);
    let login = browser.visit("/activate").await;
    let interaction = browser.sign_in(&login).await.hidden("interaction");
    let (user_code, step) = (started.member("user_code"), ("interaction", interaction.as_str()));
    browser.post("/activate", &[step, ("user_code", &user_code), ("decision", "deny")]).await.expect(200);
    server.clock.advance(Duration::from_secs(60));
    told.push(("access_denied", 400, tv.token(&fields).await));
    server.clock.advance(Duration::from_secs(1800));
    told.push(("expired_token", 400, tv.token(&fields).await));
    told
}

/// The errors of `/userinfo`, and those that no specification has a code for.
async fn of_other_endpoints(server: &TestServer) -> Vec<Told> {
    let spa = RelyingParty::new(server, "spa");
    let tokens = spa.redeem(&spa.obtain_code(&[("scope", "profile")]).await).await.expect(200);
    vec![
        ("invalid_token", 401, server.get_with_token("/userinfo", "x").await),
        ("insufficient_scope", 403, server.get_with_token("/userinfo", &tokens.member("access_token")).await),
        ("method_not_allowed", 405, server.get("/token").await),
        ("not_found", 404, server.get("/static/nothing").await),
        ("unknown_host", 404, server.get_at("unknown.example", "/.well-known/jwks.json").await),
    ]
}

/// The errors that go back to the client by redirect.
async fn by_redirect(server: &TestServer) -> Vec<(&'static str, Answer)> {
    let (spa, shop) = (RelyingParty::new(server, "spa"), RelyingParty::new(server, "shop"));
    let mut browser = Browser::new(server);
    spa.obtain_code_in(&mut browser, &[]).await;
    let mut told = Vec::new();
    for (code, extra) in [
        ("invalid_request", &[("code_challenge", "")][..]),
        ("invalid_scope", &[("scope", "unknown")]),
        ("invalid_target", &[("resource", "https://other.example/")]),
        ("login_required", &[("prompt", "none"), ("max_age", "0")]),
        ("request_not_supported", &[("request", "eyJhbGciOiJub25lIn0.e30.")]),
        ("request_uri_not_supported", &[("request_uri", "urn:x")]),
        ("unsupported_response_type", &[("response_type", "token")]),
        (
            "unmet_authentication_requirements",
            &[("claims", r#"{"id_token":{"acr":{"essential":true,"values":["mfa"]}}}"#)],
        ),
    ] {
        told.push((code, browser.get(&spa.authorize_path(extra)).await));
    }
    told.push(("unauthorized_client", browser.get(&RelyingParty::new(server, "service").authorize_path(&[])).await));
    told.push(("consent_required", browser.get(&shop.authorize_path(&[("prompt", "none")])).await));
    let question = browser.visit(&shop.authorize_path(&[])).await.expect_page(200);
    let denied = [("interaction", &*question.hidden("interaction")), ("decision", "deny")];
    told.push(("access_denied", browser.post("/consent", &denied).await));
    told
}

/// The header of some errors.
#[track_caller]
fn expect_header(code: &str, answer: &Answer) {
    let challenge = answer.header("www-authenticate");
    match code {
        "invalid_client" => assert!(challenge.starts_with("Basic realm="), "{answer:#?}"),
        "invalid_token" | "insufficient_scope" => {
            let error = format!("Bearer realm=\"uitsmijter\", error=\"{code}\", error_description=\"");
            assert!(challenge.starts_with(&error), "{answer:#?}");
        }
        "temporarily_unavailable" => assert_eq!(answer.header("retry-after"), "2"),
        "method_not_allowed" => assert_eq!(answer.header("allow"), "POST,OPTIONS"),
        _ => assert_eq!((challenge, answer.header("retry-after")), ("", ""), "{answer:#?}"),
    }
}

#[tokio::test]
async fn every_error_code_is_told_as_its_specification_says() {
    let server = TestServer::start().await;
    let (away, store) = TestServer::start_watched(&fixtures::documents()).await;
    store.go_away(true);
    let unreachable = RelyingParty::new(&away, "spa").redeem("any").await;
    let mut asked = BTreeSet::new();
    let told = [of_the_token_endpoint(&server).await, of_a_device(&server).await, of_other_endpoints(&server).await];
    for (code, status, answer) in told.into_iter().flatten().chain([("temporarily_unavailable", 503, unreachable)]) {
        expect_header(code, &answer.expect_error(status, code));
        asked.insert(code.to_owned());
    }
    for (code, answer) in by_redirect(&server).await {
        let answer = answer.expect_error_redirect(code);
        let query = answer.query();
        assert!(answer.location().starts_with(&format!("{CALLBACK}?error={code}&")), "{answer:#?}");
        let allowed = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
        assert!(query["error_description"].chars().all(allowed), "{query:?}");
        assert_eq!((query["state"].len(), query.len()), (34, 4), "{query:?}");
        asked.insert(code.to_owned());
    }
    let document = server.get("/openapi.json").await.expect(200).json();
    let described = &document["components"]["schemas"]["Error"]["properties"]["error"]["enum"];
    let described = described.as_array().expect("a list").iter().map(|code| code.as_str().expect("a name").to_owned());
    assert_eq!(asked, described.collect(), "codes that are described are produced, and the other way round");
}
