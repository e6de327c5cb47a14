//! Relying parties in three languages, each on a popular library, with every feature that the server offers them.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::configuration::{Document, SECRET, SUBJECT, USERNAME, device, service_with, tenant, web_application};
use crate::errand::accompany;
use crate::server::Server;
use crate::tool;

/// Nobody listens here: the browser stops when it is sent to another origin. A port that is never given to a server.
const REDIRECT: &str = "http://127.0.0.1:9/callback";
const BYE: &str = "http://127.0.0.1:9/bye";

/// The requested scope, and so the granted one.
const SCOPE: &str = "openid profile email offline_access";

/// A secret that is the same whether it is form-encoded or not.
const PLAIN: &str = "interop-a-secret-of-nothing-to-encode";

const KID: &str = "signer-1";

#[tokio::test]
async fn openid_client_finds_that_all_the_server_offers_to_a_relying_party_works() {
    tool::expect_modules("node");
    let (server, settings) = world("RS256").await;
    let mut found = accompany(&tool::program("node"), &[&tool::source("node/relying_party.js")], &settings).await;

    assert_eq!(found.take("discovery"), json!({ "found": "discovery", "issuer": server.issuer(), "s256": true }));
    // RFC 9207: the library knows from the metadata that there must be an `iss`, and which one.
    found.complained("without iss", r#""iss" (issuer) missing"#);
    found.complained("iss of another", r#"unexpected "iss""#);
    let first = found.take("signed in by query");
    expect_sign_in(&first, &server, "web");
    expect_profile(&found.take("userinfo")["claims"]);
    assert_eq!(found.take("answered by form")["fields"], json!(["code", "iss", "state"]));
    let second = found.take("signed in by form");
    expect_sign_in(&second, &server, "web");
    assert_eq!(first["claims"]["sid"], second["claims"]["sid"], "one session for both");
    assert_eq!(found.refused("another verifier", "invalid_grant")["status"], 400);
    found.refused("without consent", "access_denied");

    let refreshed = found.take("refreshed");
    expect_renewal(&refreshed, &second);
    assert_eq!(refreshed["narrowed"], "openid email");
    found.refused("a superseded refresh token", "invalid_grant");
    found.refused("the last of its family", "invalid_grant");
    expect_introspection(&found.take("introspected"), &server, "web");
    let inactive = json!({ "active": false });
    assert_eq!(found.take("access token revoked")["about"], inactive);
    assert_eq!(found.take("userinfo after that")["status"], 401);
    assert_eq!(found.take("refresh token revoked")["about"], inactive);
    found.refused("refresh after that", "invalid_grant");

    assert_eq!(found.take("on its own")["scope"], "orders:read");
    let own = found.take("by private_key_jwt");
    assert_eq!(own["about"]["sub"], "signer", "{own}");
    assert_eq!(found.refused("another private key", "invalid_client")["status"], 401);

    assert_eq!(found.refused("device too early", "authorization_pending")["status"], 400);
    let on_device = found.take("signed in on a device");
    assert_eq!(on_device["approved"], json!({ "page": "/activate", "status": 200, "allowed": true }));
    expect_sign_in(&on_device, &server, "web");
    found.refused("an unwanted device", "access_denied");

    let out = found.take("signed out");
    assert_eq!(out["url"], out["expected"]);
    found.refused("silently after that", "login_required");
    found.end();
}

#[tokio::test]
async fn authlib_signs_a_person_in_renews_asks_about_tokens_and_revokes_them() {
    let (server, settings) = world("EdDSA").await;
    let mut found = accompany(&tool::python(), &[&tool::source("python/relying_party.py")], &settings).await;

    assert_eq!(found.take("discovery")["issuer"], server.issuer());
    let signed_in = found.take("signed in");
    expect_sign_in(&signed_in, &server, "web");
    assert_eq!(signed_in["alg"], "EdDSA");
    found.complained("another nonce", "nonce");
    found.refused("the code again", "invalid_grant");
    found.refused("another verifier", "invalid_grant");
    expect_profile(&found.take("userinfo")["claims"]);
    expect_renewal(&found.take("refreshed"), &signed_in);
    expect_introspection(&found.take("introspected"), &server, "web");
    let inactive = json!({ "active": false });
    let revoked = found.take("revoked");
    assert_eq!((&revoked["status"], &revoked["refresh"]), (&json!(200), &inactive));
    assert_eq!(revoked["access"], inactive, "RFC 7009 §2.1: a refresh token takes its access tokens along");
    found.refused("refresh after that", "invalid_grant");
    let own = found.take("on its own");
    assert_eq!(own["scope"], "orders:read");
    assert_eq!(own["members"], json!(["access_token", "expires_at", "expires_in", "scope", "token_type"]));
    assert_eq!(found.take("by private_key_jwt")["scope"], "orders:read");
    found.refused("another private key", "invalid_client");
    found.end();
}

#[tokio::test]
async fn go_oidc_and_x_oauth2_sign_a_person_in_on_a_page_and_on_a_device() {
    let (server, settings) = world("ES256").await;
    let program = tool::go_built("./relying_party", "relying_party").await;
    let mut found = accompany(&program, &[], &settings).await;

    let discovery = found.take("discovery");
    let device_authorization = format!("{}/oauth/device_authorization", server.issuer());
    assert_eq!(discovery["endpoint"]["DeviceAuthURL"], device_authorization, "{discovery}");
    let complaint = discovery["complaint"].as_str().unwrap_or_default();
    assert!(complaint.contains("issuer"), "another issuer than the document's: {discovery}");
    let signed_in = found.take("signed in");
    expect_sign_in(&signed_in, &server, "web");
    assert_eq!((&signed_in["nonce"], &signed_in["alg"]), (&json!(true), &json!("ES256")));
    found.complained("for another client", "expected audience");
    let userinfo = found.take("userinfo");
    expect_profile(&userinfo["claims"]);
    assert_eq!(userinfo["email_verified"], true);
    expect_renewal(&found.take("refreshed"), &signed_in);
    assert_eq!(found.refused("another verifier", "invalid_grant")["status"], 400);
    expect_sign_in(&found.take("signed in on a device"), &server, "device");
    let own = found.take("on its own");
    assert_eq!((&own["scope"], &own["refresh_token"]), (&json!("orders:read"), &json!("")));
    assert_eq!(found.refused("another secret", "invalid_client")["status"], 401);
    found.end();
}

/// A server with every kind of client, and the input of a client program: the same for all of them, except for the
/// algorithm that the tenant signs with.
async fn world(algorithm: &str) -> (Server, Value) {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let point = key.public_key().as_ref();
    let coordinate = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": KID, "x": coordinate(&point[1..33]), "y": coordinate(&point[33..]),
    });
    let pkcs8 = STANDARD.encode(key.to_pkcs8v1().expect("a key in PKCS #8"));
    let proof = format!("token_endpoint_auth_method: private_key_jwt\n  jwks: {}", json!({ "keys": [jwk] }));
    let with = |document: Document, key: &str| Document {
        yaml: document.yaml.replacen("config:", &format!("config:\n  {key}: {algorithm}"), 1),
        ..document
    };
    let documents = [
        with(tenant(), "jwt_algorithm"),
        with(web_application("web", REDIRECT, BYE), "id_token_signed_response_alg"),
        with(device("device"), "id_token_signed_response_alg"),
        service_with("plain", &format!("secret: {PLAIN}")),
        service_with("signer", &proof),
    ];
    let server = Server::start(&documents).await;
    let settings = json!({
        "issuer": server.issuer(),
        "redirect": REDIRECT,
        "bye": BYE,
        "web": { "client": "web", "secret": SECRET },
        "device": { "client": "device", "secret": "" },
        "plain": { "client": "plain", "secret": PLAIN },
        "signer": { "client": "signer", "kid": KID, "pkcs8": pkcs8, "pem": pem(&pkcs8) },
    });
    (server, settings)
}

/// RFC 7468: in lines of 64 characters.
fn pem(pkcs8: &str) -> String {
    let lines: Vec<&str> = pkcs8.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("base64")).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// A sign-in that `finding` reports: person, client, issuer and grant.
#[track_caller]
fn expect_sign_in(finding: &Value, server: &Server, client: &str) {
    let claims = &finding["claims"];
    assert_eq!(claims["iss"], server.issuer(), "{finding}");
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!(SUBJECT), &json!(client)), "{finding}");
    assert!(claims["auth_time"].is_u64(), "{finding}");
    // A sign-in in a browser is part of its session; a device stays when the person signs out there.
    assert_eq!(claims["sid"].is_string(), finding["found"] != "signed in on a device", "{finding}");
    assert!(claims["email"].is_null(), "OIDC Core §5.4: with an access token the profile is at userinfo; {finding}");
    assert_eq!(finding["scope"], SCOPE, "{finding}");
}

/// OIDC Core §12.2: the renewed ID token is about the same sign-in, without a nonce; and the refresh token is a new
/// one.
#[track_caller]
fn expect_renewal(finding: &Value, before: &Value) {
    assert_eq!(finding["rotated"], true, "{finding}");
    for claim in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(finding["claims"][claim], before["claims"][claim], "{claim}: {finding}");
    }
    assert!(finding["claims"]["nonce"].is_null(), "{finding}");
    assert_eq!(finding["scope"], SCOPE, "{finding}");
}

#[track_caller]
fn expect_profile(claims: &Value) {
    let told = ["sub", "name", "given_name", "family_name", "email"].map(|claim| claims[claim].as_str());
    let ada = [SUBJECT, "Ada Lovelace", "Ada", "Lovelace", "ada@example.com"];
    assert_eq!(told, ada.map(Some), "{claims}");
    assert_eq!(claims["email_verified"], true, "{claims}");
}

/// RFC 7662 §2.2: what the server reports about an active access token and an active refresh token.
#[track_caller]
fn expect_introspection(finding: &Value, server: &Server, client: &str) {
    for kind in ["access", "refresh"] {
        let about = &finding[kind];
        assert_eq!(about["active"], true, "{finding}");
        assert_eq!((&about["sub"], &about["username"]), (&json!(SUBJECT), &json!(USERNAME)), "{finding}");
        assert_eq!((&about["iss"], &about["client_id"]), (&json!(server.issuer()), &json!(client)), "{finding}");
        assert_eq!(about["scope"], SCOPE, "{finding}");
    }
    assert_eq!(finding["access"]["token_type"], "Bearer", "{finding}");
}
