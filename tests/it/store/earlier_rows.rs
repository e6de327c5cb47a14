//! Rows as the version before the rooms wrote them: this one reads them, and whatever it writes that one reads again,
//! because nothing that it needs is missing or looks different.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uitsmijter::grant::authorization_code::AuthorizationCode;
use uitsmijter::grant::device_code::DeviceCode;
use uitsmijter::session::Session;
use uitsmijter::session::interaction::Interaction;
use uitsmijter::token::Grant;

const IDENTITY: &str = r#"{"subject":"ada","username":"ada","role":"engineer","scopes":[],"profile":{"name":"Ada"}}"#;

const SESSION: &str = r#"{"sid":"s1","identity":IDENTITY,"auth_time":1796021719,"expires_at":1796626519,
    "confirmed_at":null,"browser":"Firefox, Linux","hosts":["shop.example.com"]}"#;

const INTERACTION: &str = r#"{"browser":"b1","resume":{"authorize":{"client_id":"web","redirect_uri":"https://a.example/cb",
    "state":"x","response_mode":"query","request":{"scope":"openid email",
    "code_challenge":{"value":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM","method":"S256"},"nonce":"n",
    "prompt":["consent"],"max_age":60,"id_token_hint":null,"login_hint":"ada","acr_values":["1"],"ui_locales":"de",
    "claims":{"userinfo":{"email":null},"id_token":{"acr":{"value":"1"}}},"resource":[]}}},
    "signed_in":"s1","consented":"s1","ui_locales":null}"#;

const HOME: &str = r#"{"browser":"b1","resume":"home","signed_in":null,"consented":null,"ui_locales":"de"}"#;

/// Its `acr` was asked for, and is not the one of a password.
const CODE: &str = r#"{"client_id":"web","redirect_uri":"https://a.example/cb","code_challenge":null,"nonce":null,
    "issuer":"https://login.example","scope":"openid email",
    "person":{"identity":IDENTITY,"auth_time":1796021657,"sid":"s1","acr":"0","amr":["pwd"]},
    "claims":{"userinfo":{},"id_token":{}},"audience":[],"grant_id":"g1","issued_at":1796021657}"#;

const GRANT: &str = r#"{"client_id":"web","issuer":"https://login.example",
    "person":{"identity":IDENTITY,"auth_time":1796021657,"sid":null,"acr":"0","amr":["pwd"]},"scope":"openid email",
    "claims":{"userinfo":{},"id_token":{}},"audience":["https://api.example"],"expires_at":1798613657,
    "absolute_expiry":2111381657,"generation":2,"current":"d1","revoked":false}"#;

const DEVICE: &str = r#"{"client_id":"tv","issuer":"https://login.example","scope":"openid","audience":[],
    "decision":{"allowed":{"identity":IDENTITY,"auth_time":1796021657,"sid":null,"acr":"1","amr":["pwd"]}},
    "expires_at":1796023457,"interval":5,"asked_at":1796021657}"#;

/// What this version makes of a row of the earlier one.
fn rewritten<R: Serialize + DeserializeOwned>(row: &str) -> Value {
    let row: Value = serde_json::from_str(&row.replace("IDENTITY", IDENTITY)).unwrap();
    let record: R = serde_json::from_value(row.clone()).unwrap();
    let written = serde_json::to_value(record).unwrap();
    assert_keeps(&row, &written, "");
    written
}

fn assert_keeps(before: &Value, after: &Value, at: &str) {
    let (Value::Object(members), Value::Object(_)) = (before, after) else { return assert_eq!(before, after, "{at}") };
    members.iter().for_each(|(name, member)| assert_keeps(member, &after[name], &format!("{at}.{name}")));
}

#[test]
fn rows_of_the_earlier_version_are_read_and_keep_every_member() {
    rewritten::<Interaction>(HOME);
    rewritten::<AuthorizationCode>(CODE);
    rewritten::<Grant>(GRANT);
    rewritten::<DeviceCode>(DEVICE);
    let session = rewritten::<Session>(SESSION);
    assert_eq!((&session["acr"], &session["amr"]), (&json!("1"), &json!(["pwd"])), "it was by password");
    let session: Session = serde_json::from_value(session).unwrap();
    let interaction: Interaction = serde_json::from_value(rewritten::<Interaction>(INTERACTION)).unwrap();
    assert!(interaction.proofs.has_signed_in(&session) && interaction.proofs.has_consented(&session));
}
