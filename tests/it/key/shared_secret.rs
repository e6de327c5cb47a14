//! The secret of HS256 is no key to anything: whoever checks tokens with it can make them. They are believed only where
//! HS256 is used, and say no more than was granted.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uitsmijter::key::record::KeySet;

use crate::harness::fixtures::{self, SECRET};
use crate::harness::relying_party::basic;
use crate::harness::server::{ACME, GLOBEX, form};
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

/// What every resource server of an HS256 tenant has.
const SHARED: &str = "a secret that resource servers have, too";
const HOUR: Duration = Duration::from_secs(3600);

/// `acme` on `algorithm`, `globex` on HS256.
fn documents(algorithm: &str) -> String {
    let on = |name: &str, host: &str, algorithm: &str| {
        let hosts = format!("hosts: [\"{host}\"]");
        let tenant = fixtures::tenant(name, host);
        assert!(tenant.contains(&hosts), "{tenant}");
        tenant.replace(&hosts, &format!("{hosts}\n  jwt_algorithm: {algorithm}"))
    };
    let acme = format!("{}\n---\n{}", on("acme", ACME, algorithm), fixtures::clients("acme", ""));
    let globex = format!("{}\n---\n{}", on("globex", GLOBEX, "HS256"), fixtures::clients("globex", "globex-"));
    format!("{acme}\n---\n{globex}")
}

async fn start(algorithm: &str, shared: bool) -> TestServer {
    let environment = [("JWT_SECRET", SHARED), ("JWT_ALGORITHM", "RS256")];
    TestServer::start_changed(&documents(algorithm), &environment, |settings| settings.signing.shared = shared).await
}

/// What somebody makes who has the secret.
fn forged(claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&json!({ "alg": "HS256", "typ": "at+jwt" })), encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SHARED.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
}

fn changed(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

fn claims_of(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

async fn signed_in(server: &TestServer) -> Answer {
    let spa = RelyingParty::new(server, "spa");
    spa.redeem(&spa.obtain_code_in(&mut Browser::new(server), &[]).await).await.expect(200)
}

async fn is_active(server: &TestServer, token: &str) -> bool {
    let answer = RelyingParty::new(server, "web").post("/introspect", &[("token", token)]).await.expect(200);
    answer.json()["active"] == true
}

#[tokio::test]
async fn a_holder_of_the_secret_gets_nothing_from_a_tenant_that_was_never_on_hs256() {
    for shared in [false, true] {
        for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
            let server = start(algorithm, shared).await;
            // The neighbour signs with HS256 all the time.
            let fields = [("grant_type", "client_credentials")];
            let mut request = form("/token", &fields);
            let credentials = basic("globex-service", SECRET).parse().expect("a header");
            request.headers_mut().insert(header::HOST, GLOBEX.parse().expect("a host"));
            request.headers_mut().insert(header::AUTHORIZATION, credentials);
            assert!(!claims_of(&server.send(request).await.expect(200).member("access_token")).is_null());
            let real = claims_of(&signed_in(&server).await.member("access_token"));
            let of_client = json!({
                "iss": real["iss"], "sub": "service", "aud": "service", "client_id": "service", "tenant": "acme",
                "exp": real["exp"], "iat": real["iat"], "jti": "j", "scope": "jobs",
            });
            let exchanged = changed(&real, &json!({ "aud": "exchange-service" }));
            for claims in [&real, &of_client, &exchanged] {
                let token = forged(claims);
                assert!(!is_active(&server, &token).await, "{algorithm} {claims}");
                for path in ["/userinfo", "/token/info"] {
                    server.get_with_token(path, &token).await.expect_error(401, "invalid_token");
                }
                let exchange = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                    ("subject_token", token.as_str()),
                    ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                ];
                let service = RelyingParty::new(&server, "exchange-service");
                service.token(&exchange).await.expect_error(400, "invalid_request");
                server.get(&format!("/logout?id_token_hint={token}")).await.expect_page(400);
                let request = Request::get("/interceptor")
                    .header("x-forwarded-host", ACME)
                    .header(header::AUTHORIZATION, format!("Bearer {token}"))
                    .header(header::COOKIE, format!("uitsmijter-sso={token}"))
                    .body(Body::empty());
                let answer = server.send(request.expect("a request")).await;
                assert!(answer.status.as_u16() >= 300, "{answer:#?}");
            }
        }
    }
}

#[tokio::test]
async fn at_a_tenant_on_hs256_a_token_says_no_more_than_the_person_granted() {
    let server = start("HS256", false).await;
    let real = claims_of(&signed_in(&server).await.member("access_token"));
    assert!(is_active(&server, &forged(&real)).await, "the same claims again");
    let less = json!({ "scope": "openid", "role": null, "profile": null, "user": null });
    assert!(is_active(&server, &forged(&changed(&real, &less))).await, "less than was granted");
    for change in [
        json!({ "scope": "openid profile email read:mail" }),
        json!({ "scope": "admin" }),
        json!({ "aud": "https://api.example/" }),
        json!({ "aud": ["spa", "web"] }),
        json!({ "aud": "web" }),
        json!({ "role": "root" }),
        json!({ "user": "bob" }),
        json!({ "sub": "acme-bob" }),
        json!({ "auth_time": real["iat"].as_i64().expect("a time") + 60 }),
        json!({ "profile": { "email": "bob@acme.example" } }),
        json!({ "client_id": "web", "aud": "web" }),
        json!({ "client_id": "nobody", "aud": "nobody" }),
        json!({ "act": { "sub": "service", "client_id": "service" } }),
        json!({ "grant_id": "nothing of the kind" }),
        json!({ "grant_id": null }),
        json!({ "tenant": "globex" }),
        json!({ "iss": "https://login.globex.example" }),
    ] {
        let token = forged(&changed(&real, &change));
        assert!(!is_active(&server, &token).await, "{change}");
        server.get_with_token("/userinfo", &token).await.expect_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn at_a_tenant_on_hs256_exchanged_tokens_are_believed() {
    let server = start("HS256", false).await;
    let subject = signed_in(&server).await.member("access_token");
    let service = RelyingParty::new(&server, "exchange-service");
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", subject.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("audience", "service"),
    ];
    let exchanged = service.token(&exchange).await.expect(200).member("access_token");
    assert!(is_active(&server, &exchanged).await);
    let claims = claims_of(&exchanged);
    for change in [json!({ "aud": "https://two.example/" }), json!({ "scope": "openid read:mail" })] {
        assert!(!is_active(&server, &forged(&changed(&claims, &change))).await, "{change}");
    }
}

#[tokio::test]
async fn at_a_tenant_on_hs256_a_token_without_a_person_is_what_the_client_may_have_for_itself_now() {
    let server = start("HS256", false).await;
    let service = RelyingParty::new(&server, "service");
    let fields = [("grant_type", "client_credentials"), ("scope", "jobs"), ("resource", "https://api.example/")];
    let real = claims_of(&service.token(&fields).await.expect(200).member("access_token"));
    assert!(is_active(&server, &forged(&real)).await, "the same claims again");
    for change in [
        json!({ "scope": "jobs admin" }),
        json!({ "scope": "openid" }),
        json!({ "aud": "https://other.example/" }),
        json!({ "sub": "acme-ada" }),
        json!({ "role": "admin" }),
        json!({ "user": "ada" }),
        json!({ "profile": { "email": "ada@acme.example" } }),
        json!({ "act": { "sub": "service", "client_id": "service" } }),
        json!({ "client_id": "spa", "sub": "spa", "aud": "spa", "scope": "" }),
        json!({ "client_id": "web", "sub": "web", "aud": "web", "scope": "" }),
        json!({ "client_id": "nobody", "sub": "nobody", "aud": "nobody", "scope": "" }),
    ] {
        assert!(!is_active(&server, &forged(&changed(&real, &change))).await, "{change}");
    }
}

#[tokio::test]
async fn a_tenant_that_leaves_hs256_believes_it_until_the_longest_of_its_tokens_has_ended() {
    for shared in [false, true] {
        let server = start("HS256", shared).await;
        let issued = signed_in(&server).await.member("access_token");
        let claims = claims_of(&issued);
        let later =
            |hours: i64| changed(&claims, &json!({ "exp": claims["exp"].as_i64().expect("a time") + hours * 3600 }));
        server.declare(&documents("RS256"));
        assert!(is_active(&server, &issued).await, "nobody notices the way out");
        assert!(!is_active(&server, &forged(&later(2))).await, "longer than any token of the tenant");
        server.clock.advance(HOUR);
        assert!(is_active(&server, &issued).await);
        server.clock.advance(2 * HOUR);
        assert!(!is_active(&server, &forged(&later(2))).await, "the longest has ended");
        // The way back is one setting, too.
        server.declare(&documents("HS256"));
        assert!(is_active(&server, &signed_in(&server).await.member("access_token")).await);
    }
}

/// Takes what this version added out of the record, as the version before writes it.
async fn write_as_the_version_before(server: &TestServer) {
    let store = server.app.store.within("acme");
    let loaded = store.load::<KeySet>("set").await.expect("a store").expect("keys");
    let mut set = loaded.record.clone();
    assert!(!set.hs256_until.is_empty(), "there is something to forget");
    set.hs256_until.clear();
    set.mac = None;
    set.keys.iter_mut().for_each(|key| key.mac = None);
    set.version += 1;
    assert!(store.replace("set", Some(&loaded), &set, &[], None).await.expect("a store"));
    server.app.services.keys.follow_news().await.expect("news");
}

#[tokio::test]
async fn tokens_that_the_version_before_signed_with_hs256_are_believed_when_the_upgrade_brings_another_algorithm() {
    let before = start("HS256", false).await;
    let issued = signed_in(&before).await.member("access_token");
    write_as_the_version_before(&before).await;
    // The same store, and a process that knows nothing else.
    let after = before.restarted(&documents("RS256"), &[("JWT_SECRET", SHARED), ("JWT_ALGORITHM", "RS256")]).await;
    assert!(is_active(&after, &issued).await);
}

#[tokio::test]
async fn an_older_replica_that_changes_the_keys_does_not_make_a_newer_one_forget_hs256() {
    let server = start("HS256", false).await;
    let issued = signed_in(&server).await.member("access_token");
    server.declare(&documents("RS256"));
    assert!(is_active(&server, &issued).await);
    write_as_the_version_before(&server).await;
    server.app.services.keys.tick().await.expect("a tick");
    assert!(is_active(&server, &issued).await, "this replica remembers");
    let later = server.restarted(&documents("RS256"), &[("JWT_SECRET", SHARED), ("JWT_ALGORITHM", "RS256")]).await;
    assert!(is_active(&later, &issued).await, "and has written it down again");
}

#[tokio::test]
async fn a_replica_with_the_setting_of_before_believes_the_first_token_of_hs256_of_one_with_the_next() {
    let behind = start("RS256", false).await;
    signed_in(&behind).await;
    let ahead = behind.restarted(&documents("HS256"), &[("JWT_SECRET", SHARED), ("JWT_ALGORITHM", "RS256")]).await;
    behind.clock.advance(Duration::from_secs(1));
    let first = signed_in(&ahead).await.member("access_token");
    assert!(is_active(&behind, &first).await);
}
