//! Resource servers in three languages verify our access tokens with a popular library.
//!
//! Each is as small as its library's own documentation and knows nothing but the issuer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::application;
use crate::configuration::{SUBJECT, native_application, service, short_lived_service, tenant};
use crate::server::{Server, http_client};
use crate::token::{changed, claims, token_for, unsigned};
use crate::verifier::{Library, Verifier};

#[tokio::test]
async fn jwks_rsa_and_jsonwebtoken_verify_our_tokens_and_refuse_the_others() {
    judge(Library::JsonWebToken).await;
}

#[tokio::test]
async fn pyjwt_verifies_our_tokens_and_refuses_the_others() {
    judge(Library::PyJwt).await;
}

#[tokio::test]
async fn golang_jwt_with_keyfunc_verifies_our_tokens_and_refuses_the_others() {
    judge(Library::GolangJwt).await;
}

async fn judge(library: Library) {
    let server = Server::start(&[
        tenant(),
        native_application(),
        service("service"),
        service("elsewhere"),
        short_lived_service("short"),
    ])
    .await;
    let expired = token_for(&http_client(), &server.issuer(), "short").await;
    let person = application::access_token_of_a_person(&server.issuer()).await;
    let fresh = token_for(&http_client(), &server.issuer(), "service").await;
    let elsewhere = token_for(&http_client(), &server.issuer(), "elsewhere").await;
    wait_for_the_end_of(&expired).await;

    let mut verifier = Verifier::start(library, &server.issuer()).await;
    let reasons = library.reasons();
    let claims = verifier.expect_accepted("service", &fresh).await;
    expect_claims(&claims, &json!({ "sub": "service", "client_id": "service", "tenant": "interop" }));
    let claims = verifier.expect_accepted("native", &person).await;
    expect_claims(&claims, &json!({ "sub": SUBJECT, "role": "engineer" }));
    verifier.expect_refused("service", &changed(&fresh), reasons.changed).await;
    verifier.expect_refused("service", &unsigned(&fresh), reasons.unsigned).await;
    verifier.expect_refused("service", &elsewhere, reasons.elsewhere).await;
    verifier.expect_refused("short", &expired, reasons.expired).await;
}

#[track_caller]
fn expect_claims(found: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("an object of claims") {
        assert_eq!(&found[name], value, "{name} in {found}");
    }
}

/// Sleeps for the whole life of a token that was made a moment ago, and one second more.
async fn wait_for_the_end_of(token: &str) {
    let claims = claims(token);
    let time = |name: &str| claims[name].as_u64().unwrap_or_else(|| panic!("{name} in {claims}"));
    let life = time("exp") - time("iat");
    assert!(life <= 5, "the token to wait for lives for {life} s");
    tokio::time::sleep(Duration::from_secs(life + 1)).await;
}
