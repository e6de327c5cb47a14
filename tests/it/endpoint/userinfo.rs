//! `/userinfo` and `/token/info`: OIDC Core §5.3 and §5.4, RFC 6750.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;

use crate::harness::server::form;
use crate::harness::{RelyingParty, TestServer};

#[tokio::test]
async fn claims_follow_the_scope_and_wrong_ones_are_left_out() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[("scope", "openid profile")]).await;
    let token = spa.redeem(&code).await.expect(200).member("access_token");
    for path in ["/userinfo", "/token/info"] {
        let answer = server.get_with_token(path, &token).await.expect(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        // No e-mail without its scope; no empty, null or wrongly typed claims; `sub` cannot be forged; non-standard
        // claims stay at top level.
        let expected = json!({
            "sub": "acme-ada", "name": "Ada Lovelace", "given_name": "Ada", "updated_at": 1700000000,
            "department": "engines",
        });
        assert_eq!(answer.json(), expected);
    }
    let code = spa.obtain_code(&[("scope", "openid email address phone")]).await;
    let token = spa.redeem(&code).await.expect(200).member("access_token");
    let expected = json!({
        "sub": "acme-ada", "email": "ada@acme.example", "email_verified": true, "address": { "locality": "London" },
        "department": "engines",
    });
    assert_eq!(server.get_with_token("/userinfo", &token).await.expect(200).json(), expected);
}

#[tokio::test]
async fn the_claims_parameter_asks_for_single_claims() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let claims = json!({ "userinfo": { "name": { "essential": true } }, "id_token": { "email": null, "sub": { "essential": true } } });
    let code = spa.obtain_code(&[("scope", "openid"), ("claims", &claims.to_string())]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    let userinfo = server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(200).json();
    assert_eq!(userinfo["name"], "Ada Lovelace");
    assert!(userinfo["email"].is_null());
    let id_token = crate::harness::response::decoded(&tokens.member("id_token"), 1);
    assert_eq!((&id_token["email"], &id_token["sub"]), (&json!("ada@acme.example"), &json!("acme-ada")));
    assert!(id_token["name"].is_null());
}

#[tokio::test]
async fn a_token_may_come_in_the_header_or_the_body_and_not_in_the_query() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    let token = spa.redeem(&code).await.expect(200).member("access_token");
    let mut post = form("/userinfo", &[]);
    post.headers_mut().insert(header::AUTHORIZATION, format!("bearer {token}").parse().expect("a header"));
    server.send(post).await.expect(200);
    server.post("/userinfo", &[("access_token", &token)]).await.expect(200);
    let answer = server.get(&format!("/userinfo?access_token={token}")).await.expect(401);
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"uitsmijter\"", "no error without credentials");
    assert_eq!(answer.body, "");
}

#[tokio::test]
async fn a_token_that_is_not_good_gets_the_challenge_of_the_rfc() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    let (access, id) = (tokens.member("access_token"), tokens.member("id_token"));
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{}.", access.split('.').nth(1).expect("claims"));
    let service = RelyingParty::new(&server, "service");
    let personless = service.token(&[("grant_type", "client_credentials")]).await.expect(200).member("access_token");
    for token in ["x", "a.b.c", &unsigned, &format!("{access}x"), &id, &personless] {
        let answer = server.get_with_token("/userinfo", token).await.expect_error(401, "invalid_token");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:#?}");
    }
    for (sent, status) in [("Basic eDp5", 401), ("Basic", 401), ("Bearer", 400), ("Bearer ", 400)] {
        let wrong = Request::get("/userinfo").header(header::AUTHORIZATION, sent).body(Body::empty());
        let answer = server.send(wrong.expect("a request")).await.expect(status);
        let bare = answer.header("www-authenticate") == "Bearer realm=\"uitsmijter\"";
        assert_eq!(bare, status == 401, "another scheme is no token at all: {answer:#?}");
    }
    server.clock.advance(Duration::from_secs(2 * 60 * 60));
    server.get_with_token("/userinfo", &access).await.expect_error(401, "invalid_token");
}

#[tokio::test]
async fn a_token_without_openid_is_for_token_info_and_not_for_userinfo() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[("scope", "profile")]).await;
    let token = spa.redeem(&code).await.expect(200).member("access_token");
    let answer = server.get_with_token("/userinfo", &token).await.expect_error(403, "insufficient_scope");
    assert!(answer.header("www-authenticate").contains("error=\"insufficient_scope\""), "{answer:#?}");
    assert_eq!(server.get_with_token("/token/info", &token).await.expect(200).json()["name"], "Ada Lovelace");
}

#[tokio::test]
async fn a_token_that_comes_in_two_ways_is_refused() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let token = spa.redeem(&spa.obtain_code(&[]).await).await.expect(200).member("access_token");
    let bearer = || format!("Bearer {token}").parse().expect("a header");
    for path in ["/userinfo", "/token/info"] {
        let with_query = format!("{path}?access_token={token}");
        let mut in_body = form(path, &[("access_token", &token)]);
        in_body.headers_mut().insert(header::AUTHORIZATION, bearer());
        let mut in_query = Request::get(&with_query).body(Body::empty()).expect("a request");
        in_query.headers_mut().insert(header::AUTHORIZATION, bearer());
        for twice in [in_body, in_query, form(&with_query, &[("access_token", &token)])] {
            let answer = server.send(twice).await.expect_error(400, "invalid_request");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Bearer realm=\"uitsmijter\", error=\"invalid_request\", "), "{challenge}");
        }
    }
    let unreadable = Request::post("/userinfo").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = server.send(unreadable.body(Body::from("access_token=%ff")).expect("a request")).await;
    let answer = answer.expect_error(400, "invalid_request");
    assert!(answer.header("www-authenticate").contains("error=\"invalid_request\""), "{answer:#?}");
    // A body that is not a form cannot carry a token.
    for content_type in ["text/plain", "application/xml", ""] {
        let mut post = Request::post("/userinfo").body(Body::from(format!("access_token={token}"))).expect("a request");
        post.headers_mut().insert(header::AUTHORIZATION, bearer());
        post.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().expect("a header"));
        server.send(post).await.expect(200);
    }
}
