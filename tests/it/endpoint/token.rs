//! `/token`: client authentication and the form of answers, RFC 6749 §2.3, §3.2 and §5.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;

use crate::harness::fixtures::{CALLBACK, SECRET};
use crate::harness::relying_party::{VERIFIER, basic};
use crate::harness::server::form;
use crate::harness::{RelyingParty, TestServer};

const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_client_proves_itself_by_basic_or_by_post_and_not_by_both() {
    let server = TestServer::start().await;
    let service = RelyingParty::new(&server, "service");
    service.token(&[CLIENT_CREDENTIALS]).await.expect(200);
    server.post("/token", &[CLIENT_CREDENTIALS, ("client_id", "service"), ("client_secret", SECRET)]).await.expect(200);
    service
        .token(&[CLIENT_CREDENTIALS, ("client_id", "service"), ("client_secret", SECRET)])
        .await
        .expect_error(400, "invalid_request");
    service.token(&[CLIENT_CREDENTIALS, ("client_id", "web")]).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn a_client_that_fails_to_prove_itself_is_told_how() {
    let server = TestServer::start().await;
    for credentials in
        [basic("service", "wrong"), basic("nobody", SECRET), basic("service", ""), "Basic !".into(), "Bearer x".into()]
    {
        let mut request = form("/token", &[CLIENT_CREDENTIALS]);
        request.headers_mut().insert(header::AUTHORIZATION, credentials.parse().expect("a header"));
        let answer = server.send(request).await.expect_error(401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{answer:#?}");
    }
    for fields in [
        &[CLIENT_CREDENTIALS][..],
        &[CLIENT_CREDENTIALS, ("client_id", "service")],
        &[CLIENT_CREDENTIALS, ("client_id", "service"), ("client_secret", "wrong")],
        &[CLIENT_CREDENTIALS, ("client_id", "globex-service"), ("client_secret", SECRET)],
        &[CLIENT_CREDENTIALS, ("client_id", "spa"), ("client_secret", "anything")],
    ] {
        let answer = server.post("/token", fields).await.expect_error(401, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), "", "a browser must not open its own dialog");
    }
}

#[tokio::test]
async fn a_json_body_is_read_like_a_form() {
    let server = TestServer::start().await;
    let body = json!({ "grant_type": "client_credentials", "client_id": "service", "client_secret": SECRET });
    let request = |content_type: &str, body: String| {
        Request::post("/token").header(header::CONTENT_TYPE, content_type).body(Body::from(body)).expect("a request")
    };
    server.send(request("application/json; charset=utf-8", body.to_string())).await.expect(200);
    server.send(request("application/json", "[]".into())).await.expect_error(400, "invalid_request");
    server.send(request("application/json", "{\"grant_type\":{}}".into())).await.expect_error(400, "invalid_request");
    server.send(request("text/plain", "grant_type=password".into())).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn an_answer_says_what_was_granted_and_is_not_cached() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[("scope", "openid unknown profile read:mail")]).await;
    let answer = spa.redeem(&code).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 7200);
    assert_eq!(body["scope"], "openid profile read:mail staff", "narrowed, and widened by what the client accepts");
    assert!(body["refresh_token"].is_string());
    assert!(body["id_token"].is_string());
}

#[tokio::test]
async fn a_grant_that_is_unknown_or_not_the_clients_is_refused_by_name() {
    let server = TestServer::start().await;
    let service = RelyingParty::new(&server, "service");
    service.token(&[("grant_type", "magic")]).await.expect_error(400, "unsupported_grant_type");
    service.token(&[]).await.expect_error(400, "invalid_request");
    let password = [("grant_type", "password"), ("username", "ada"), ("password", "x")];
    service.token(&password).await.expect_error(400, "unauthorized_client");
    let spa = RelyingParty::new(&server, "spa");
    spa.token(&[CLIENT_CREDENTIALS]).await.expect_error(400, "unauthorized_client");
    let code =
        [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    service.token(&code).await.expect_error(400, "unauthorized_client");
}

#[tokio::test]
async fn a_browser_may_call_from_the_clients_own_origin_alone() {
    let server = TestServer::start().await;
    let preflight = |origin: &str| {
        Request::options("/token").header(header::ORIGIN, origin).body(Body::empty()).expect("a request")
    };
    let own = server.send(preflight("https://app.acme.example")).await.expect(204);
    assert_eq!(own.header("access-control-allow-origin"), "https://app.acme.example");
    let foreign = server.send(preflight("https://evil.example")).await.expect(204);
    assert_eq!(foreign.header("access-control-allow-origin"), "");
    for path in ["/userinfo", "/revoke", "/token/info"] {
        let own = Request::options(path).header(header::ORIGIN, "https://app.acme.example").body(Body::empty());
        let own = server.send(own.expect("a request")).await.expect(204);
        assert_eq!(own.header("access-control-allow-origin"), "https://app.acme.example", "{path}");
    }
    // Only the window itself or another server reads these.
    for path in ["/authorize", "/login", "/logout", "/introspect", "/device_authorization"] {
        for method in ["GET", "POST", "OPTIONS"] {
            let request =
                Request::builder().method(method).uri(path).header(header::ORIGIN, "https://app.acme.example");
            let answer = server.send(request.body(Body::empty()).expect("a request")).await;
            assert_eq!(answer.header("access-control-allow-origin"), "", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn other_methods_and_other_hosts_get_a_clear_answer() {
    let server = TestServer::start().await;
    let refused = server.get("/token").await.expect_error(405, "method_not_allowed");
    assert!(refused.member("error_description").ends_with("use POST"), "{refused:#?}");
    assert_eq!(refused.header("allow"), "POST,OPTIONS");
    server.get_at("unknown.example", "/.well-known/jwks.json").await.expect_error(404, "unknown_host");
    server.get("/nothing/here").await.expect_page(404);
}
