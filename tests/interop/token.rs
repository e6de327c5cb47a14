//! Tokens: where a service gets them, and what can be read and changed in them without a key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Client;
use serde_json::{Value, json};

use crate::configuration::SECRET;

/// An access token by client_credentials.
pub(crate) async fn token_for(http: &Client, issuer: &str, client: &str) -> String {
    let answer = http
        .post(format!("{issuer}/token"))
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

/// The claims of a JWT, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a JWT, unverified.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).expect("a JWT has three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The same token with another role under the old signature.
pub(crate) fn changed(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = claims(token);
    claims["role"] = json!("admin");
    format!("{}.{}.{}", parts[0], encoded(&claims), parts[2])
}

/// The same claims with `alg: none` and no signature; the key's name stays, so that a careless library finds a key.
pub(crate) fn unsigned(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut header = header(token);
    header["alg"] = json!("none");
    format!("{}.{}.", encoded(&header), parts[1])
}
