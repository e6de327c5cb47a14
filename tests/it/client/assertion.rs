//! `private_key_jwt`: RFC 7523 §2.2 and §3, OIDC Core §9.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::fixtures::{self, SECRET};
use crate::harness::relying_party::basic;
use crate::harness::server::form;
use crate::harness::{Answer, Application, ClientKey, TestServer};

const TYPE: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const ISSUER: &str = "https://login.acme.example";

/// A server with the client `signer`, whose document has `keys`.
async fn server(keys: &str, environment: &[(&str, &str)]) -> TestServer {
    let client = format!(
        "name: Signer\nconfig:\n  tenantname: acme\n  ident: signer\n  token_endpoint_auth_method: private_key_jwt\n  \
         grant_types: [client_credentials]\n  scopes: [jobs]\n  {keys}\n"
    );
    TestServer::start_with(&format!("{}\n---\n{client}", fixtures::documents()), environment).await
}

async fn server_with(jwk: Value) -> TestServer {
    server(&format!("jwks: {}", json!({ "keys": [jwk] })), &[]).await
}

/// The claims of a valid assertion with some changed; null removes one.
fn claims(server: &TestServer, changed: Value) -> Value {
    let now = uitsmijter::clock::Clock::now(&server.clock).0;
    let jti = uitsmijter::random::Random::identifier(&uitsmijter::random::SystemRandom);
    let mut claims =
        json!({ "iss": "signer", "sub": "signer", "aud": ISSUER, "exp": now + 60, "iat": now, "jti": jti });
    let all = claims.as_object_mut().expect("an object");
    all.extend(changed.as_object().cloned().unwrap_or_default());
    all.retain(|_, value| !value.is_null());
    claims
}

async fn present(server: &TestServer, assertion: &str) -> Answer {
    server.post("/token", &[GRANT, TYPE, ("client_assertion", assertion)]).await
}

#[tokio::test]
async fn a_client_proves_itself_with_each_kind_of_key() {
    for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
        let key = ClientKey::new(alg);
        let server = server_with(key.jwk(json!({ "kid": "k1", "alg": alg, "use": "sig" }))).await;
        let assertion = key.sign(&json!({ "alg": alg, "kid": "k1" }), &claims(&server, json!({})));
        let answer = present(&server, &assertion).await.expect(200);
        assert_eq!(answer.access_claims()["sub"], "signer", "{alg}");
        let without_kid = key.sign(&json!({ "alg": alg }), &claims(&server, json!({})));
        present(&server, &without_kid).await.expect(200);
    }
}

#[tokio::test]
async fn an_assertion_counts_once() {
    let key = ClientKey::new("ES256");
    let server = server_with(key.jwk(json!({}))).await;
    let assertion = key.sign(&json!({ "alg": "ES256" }), &claims(&server, json!({})));
    let answers = futures_util::future::join_all((0..10).map(|_| present(&server, &assertion))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    present(&server, &assertion).await.expect_error(401, "invalid_client");
}

#[tokio::test]
async fn an_assertion_is_for_this_server_from_this_client_and_for_now() {
    let key = ClientKey::new("ES256");
    let server = server_with(key.jwk(json!({}))).await;
    let now = uitsmijter::clock::Clock::now(&server.clock).0;
    let token_endpoint = format!("{ISSUER}/token");
    for good in [
        json!({ "aud": token_endpoint }),
        json!({ "aud": ["https://other.example", ISSUER] }),
        json!({ "exp": now + 1 }),
        json!({ "exp": now + 3600 }),
        json!({ "exp": now as f64 + 30.5 }),
        json!({ "iat": now + 10, "nbf": now + 10 }),
        json!({ "iat": null }),
    ] {
        present(&server, &key.sign(&json!({ "alg": "ES256" }), &claims(&server, good.clone()))).await.expect(200);
    }
    for bad in [
        json!({ "aud": "https://login.globex.example" }),
        json!({ "aud": format!("{ISSUER}/") }),
        json!({ "aud": format!("{ISSUER}/userinfo") }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
        json!({ "iss": "spa" }),
        json!({ "iss": null }),
        json!({ "exp": now }),
        json!({ "exp": now + 3700 }),
        json!({ "exp": null }),
        json!({ "exp": "tomorrow" }),
        json!({ "nbf": now + 60 }),
        json!({ "iat": now + 60 }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "sub": "spa" }),
        json!({ "sub": null }),
    ] {
        let assertion = key.sign(&json!({ "alg": "ES256" }), &claims(&server, bad.clone()));
        let answer =
            server.post("/token", &[GRANT, TYPE, ("client_assertion", &assertion), ("client_id", "signer")]).await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{bad}: {answer:#?}");
        assert!(answer.json()["access_token"].is_null());
    }
}

#[tokio::test]
async fn the_key_decides_the_algorithm_and_nobody_else_can_sign() {
    let (key, other) = (ClientKey::new("RS256"), ClientKey::new("RS256"));
    let server = server_with(key.jwk(json!({ "kid": "k1", "alg": "PS256" }))).await;
    let claims = || claims(&server, json!({}));
    present(&server, &key.sign(&json!({ "alg": "PS256", "kid": "k1" }), &claims())).await.expect(200);
    for (signer, header) in [
        (&key, json!({ "alg": "RS256", "kid": "k1" })),
        (&key, json!({ "alg": "PS256", "kid": "k2" })),
        (&key, json!({ "alg": "none" })),
        (&key, json!({ "alg": "HS256" })),
        (&key, json!({ "alg": "PS256", "crit": ["exp"] })),
        (&other, json!({ "alg": "PS256", "kid": "k1" })),
    ] {
        present(&server, &signer.sign(&header, &claims())).await.expect_error(401, "invalid_client");
    }
    for garbage in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
        present(&server, garbage).await.expect_error(401, "invalid_client");
    }
}

#[tokio::test]
async fn one_way_of_proving_is_enough_and_it_must_be_the_registered_one() {
    let key = ClientKey::new("EdDSA");
    let server = server_with(key.jwk(json!({}))).await;
    let assertion = || key.sign(&json!({ "alg": "EdDSA" }), &claims(&server, json!({})));
    let both = [GRANT, TYPE, ("client_assertion", &*assertion()), ("client_secret", SECRET)];
    server.post("/token", &both).await.expect_error(400, "invalid_request");
    let mut with_header = form("/token", &[GRANT, TYPE, ("client_assertion", &assertion())]);
    with_header.headers_mut().insert("authorization", basic("signer", SECRET).parse().expect("a header"));
    server.send(with_header).await.expect_error(400, "invalid_request");
    for fields in [
        &[GRANT, ("client_id", "signer")][..],
        &[GRANT, ("client_id", "signer"), ("client_secret", SECRET)],
        &[GRANT, ("client_assertion_type", "urn:x"), ("client_assertion", &assertion())],
    ] {
        server.post("/token", fields).await.expect_error(401, "invalid_client");
    }
    server.post("/token", &[GRANT, TYPE]).await.expect_error(400, "invalid_request");
    server.post("/token", &[GRANT, ("client_assertion", &assertion())]).await.expect_error(400, "invalid_request");
    let contradiction = [GRANT, TYPE, ("client_assertion", &*assertion()), ("client_id", "spa")];
    server.post("/token", &contradiction).await.expect_error(400, "invalid_request");
    let named = claims(&server, json!({ "iss": "web", "sub": "web" }));
    present(&server, &key.sign(&json!({ "alg": "EdDSA" }), &named)).await.expect_error(401, "invalid_client");
    present(&server, &assertion()).await.expect(200);
}

#[tokio::test]
async fn published_keys_are_fetched_kept_and_fetched_again_for_a_new_one() {
    let (old, new) = (ClientKey::new("ES256"), ClientKey::new("ES256"));
    let set = |key: &ClientKey, kid: &str| json!({ "keys": [key.jwk(json!({ "kid": kid }))] }).to_string();
    let application = Application::start(&set(&old, "old")).await;
    let server = server(&format!("jwks_uri: {}", application.url("/jwks")), &[]).await;
    let signed =
        |key: &ClientKey, kid: &str| key.sign(&json!({ "alg": "ES256", "kid": kid }), &claims(&server, json!({})));
    for _ in 0..3 {
        present(&server, &signed(&old, "old")).await.expect(200);
    }
    assert_eq!(application.received().len(), 1);
    application.answer(200, &set(&new, "new"));
    present(&server, &signed(&new, "new")).await.expect_error(401, "invalid_client");
    server.clock.advance(Duration::from_secs(60));
    present(&server, &signed(&new, "new")).await.expect(200);
    present(&server, &signed(&old, "old")).await.expect_error(401, "invalid_client");
    for _ in 0..5 {
        present(&server, &signed(&new, "unheard of")).await.expect_error(401, "invalid_client");
    }
    assert_eq!(application.received().len(), 2, "at most once a minute");
    application.answer(500, "");
    server.clock.advance(Duration::from_secs(2 * 3600));
    present(&server, &signed(&new, "new")).await.expect(200);
    server.clock.advance(Duration::from_secs(24 * 3600));
    present(&server, &signed(&new, "new")).await.expect_error(401, "invalid_client");
}

#[tokio::test]
async fn private_addresses_are_called_only_where_the_operator_allows_it() {
    let key = ClientKey::new("ES256");
    let application = Application::start(&json!({ "keys": [key.jwk(json!({}))] }).to_string()).await;
    let keys = format!("jwks_uri: {}", application.url("/jwks"));
    let server = server(&keys, &[("ALLOW_PRIVATE_ADDRESSES", "false")]).await;
    let assertion = key.sign(&json!({ "alg": "ES256" }), &claims(&server, json!({})));
    present(&server, &assertion).await.expect_error(401, "invalid_client");
    assert!(application.received().is_empty());
}
