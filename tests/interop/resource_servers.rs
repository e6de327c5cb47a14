//! Resource servers in three languages verify our access tokens with the library that people there use.
//!
//! Each is as small as its library's own documentation and knows nothing but the issuer.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::configuration::{SECRET, native_application, service, short_lived_service, tenant};
use crate::openid_client;
use crate::server::{Server, http_client};
use crate::tool;

#[tokio::test]
async fn jwks_rsa_and_jsonwebtoken_verify_our_tokens_and_refuse_the_others() {
    tool::expect_modules("node");
    let reasons = Reasons {
        changed: "invalid signature",
        unsigned: "jwt signature is required",
        elsewhere: "jwt audience invalid",
        expired: "jwt expired",
    };
    judge(&tool::program("node"), &[&tool::source("node/verify.js")], reasons).await;
}

#[tokio::test]
async fn pyjwt_verifies_our_tokens_and_refuses_the_others() {
    let reasons = Reasons {
        changed: "InvalidSignatureError",
        unsigned: "InvalidAlgorithmError",
        elsewhere: "InvalidAudienceError",
        expired: "ExpiredSignatureError",
    };
    judge(&tool::python(), &[&tool::source("python/verify.py")], reasons).await;
}

#[tokio::test]
async fn golang_jwt_with_keyfunc_verifies_our_tokens_and_refuses_the_others() {
    let reasons = Reasons {
        changed: "token signature is invalid",
        unsigned: "signing method none is invalid",
        elsewhere: "token has invalid audience",
        expired: "token is expired",
    };
    judge(&tool::go_program().await, &[], reasons).await;
}

/// A part of what the library says when it refuses; being refused for another reason proves nothing.
struct Reasons {
    changed: &'static str,
    unsigned: &'static str,
    elsewhere: &'static str,
    expired: &'static str,
}

async fn judge(program: &Path, arguments: &[&Path], reasons: Reasons) {
    let server = Server::start(&[
        tenant(),
        native_application(),
        service("service"),
        service("elsewhere"),
        short_lived_service("short"),
    ])
    .await;
    let expired = token_for(&server, "short").await;
    let person = openid_client::access_token_of_a_person(&server).await;
    let fresh = token_for(&server, "service").await;
    let elsewhere = token_for(&server, "elsewhere").await;
    wait_for_the_end_of(&expired).await;

    let case = |case: &str, audience: &str, token: &str| json!({ "case": case, "audience": audience, "token": token });
    let cases = [
        case("fresh", "service", &fresh),
        case("person", "native", &person),
        case("changed", "service", &changed(&fresh)),
        case("unsigned", "service", &unsigned(&fresh)),
        case("elsewhere", "service", &elsewhere),
        case("expired", "short", &expired),
    ];
    let verdicts = tool::run(program, arguments, &json!({ "issuer": server.issuer(), "cases": cases })).await;

    let names: Vec<&str> = verdicts.iter().filter_map(|verdict| verdict["case"].as_str()).collect();
    assert_eq!(names, ["fresh", "person", "changed", "unsigned", "elsewhere", "expired"]);
    expect_accepted(&verdicts[0], &json!({ "sub": "service", "client_id": "service", "tenant": "interop" }));
    expect_accepted(&verdicts[1], &json!({ "sub": crate::configuration::SUBJECT, "role": "engineer" }));
    expect_refused(&verdicts[2], reasons.changed);
    expect_refused(&verdicts[3], reasons.unsigned);
    expect_refused(&verdicts[4], reasons.elsewhere);
    expect_refused(&verdicts[5], reasons.expired);
}

#[track_caller]
fn expect_accepted(verdict: &Value, claims: &Value) {
    assert_eq!(verdict["accepted"], true, "{verdict}");
    for (name, value) in claims.as_object().expect("an object of claims") {
        assert_eq!(&verdict["claims"][name], value, "{name} in {verdict}");
    }
}

#[track_caller]
fn expect_refused(verdict: &Value, reason: &str) {
    assert_eq!(verdict["accepted"], false, "{verdict}");
    let given = verdict["reason"].as_str().unwrap_or_default();
    assert!(given.contains(reason), "expected {reason:?} in {verdict}");
}

/// An access token by client_credentials.
async fn token_for(server: &Server, client: &str) -> String {
    let answer = http_client()
        .post(format!("{}/token", server.issuer()))
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", SECRET),
            ("scope", "orders:read"),
        ])
        .send()
        .await
        .expect("the server answers");
    let status = answer.status();
    let body: Value = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{client}: {status} {body}");
    body["access_token"].as_str().expect("an access token").to_owned()
}

/// Sleeps for the whole life of a token that was made a moment ago, and one second more.
async fn wait_for_the_end_of(token: &str) {
    let claims = claims(token);
    let time = |name: &str| claims[name].as_u64().unwrap_or_else(|| panic!("{name} in {claims}"));
    let life = time("exp") - time("iat");
    assert!(life <= 5, "the token to wait for lives for {life} s");
    tokio::time::sleep(Duration::from_secs(life + 1)).await;
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a JWT has three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The same token with another role under the old signature.
fn changed(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = claims(token);
    claims["role"] = json!("admin");
    format!("{}.{}.{}", parts[0], encoded(&claims), parts[2])
}

/// The same claims with `alg: none` and no signature; the key's name stays, so that a careless library finds a key.
fn unsigned(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let header = URL_SAFE_NO_PAD.decode(parts[0]).expect("base64url");
    let mut header: Value = serde_json::from_slice(&header).expect("JSON");
    header["alg"] = json!("none");
    format!("{}.{}.", encoded(&header), parts[1])
}
