//! Optional parameters of an authorization request, honoured or ignored: OIDC Core §3.1.2.1, §5.4, §5.5.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::fixtures::{self, CALLBACK, PASSWORD};
use crate::harness::response::decoded;
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

/// A tenant whose person has every standard claim.
async fn server() -> TestServer {
    let hash = uitsmijter::login::password::hash(PASSWORD, &uitsmijter::random::SystemRandom);
    let tenant = format!(
        r#"
name: acme
config:
  hosts: [login.acme.example]
  users:
    - username: ada
      password_hash: "{hash}"
      subject: u-1
      profile: {}
"#,
        profile()
    );
    TestServer::start_with(&format!("{tenant}\n---\n{}", fixtures::clients("acme", "")), &[]).await
}

fn profile() -> Value {
    json!({
        "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "middle_name": "King", "nickname": "A",
        "preferred_username": "ada", "profile": "https://ada.example", "picture": "https://ada.example/a.png",
        "website": "https://ada.example", "gender": "female", "birthdate": "1815-12-10", "zoneinfo": "Europe/London",
        "locale": "en-GB", "updated_at": 1700000000, "email": "ada@acme.example", "email_verified": true,
        "phone_number": "+44 20 7946 0000", "phone_number_verified": false,
        "address": { "locality": "London", "country": "UK", "region": null, "postal_code": "" },
    })
}

/// The userinfo and ID token claims after a sign-in with these parameters.
async fn told(server: &TestServer, extra: &[(&str, &str)]) -> (Value, Value) {
    let spa = RelyingParty::new(server, "spa");
    let tokens = spa.redeem(&spa.obtain_code(extra).await).await.expect(200);
    let userinfo = server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(200).json();
    (userinfo, decoded(&tokens.member("id_token"), 1))
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn each_scope_brings_its_claims_to_userinfo_and_none_into_the_id_token() {
    let server = server().await;
    let all = profile();
    let contact = ["email", "email_verified", "phone_number", "phone_number_verified", "address"];
    let of_profile: Vec<&str> = members(&all).into_iter().filter(|name| !contact.contains(name)).collect();
    for (scope, expected) in [
        ("openid", &[][..]),
        ("openid profile", &of_profile),
        ("openid email", &contact[..2]),
        // The order does not matter.
        ("email openid", &contact[..2]),
        ("openid phone", &contact[2..4]),
        ("openid address", &contact[4..]),
        ("openid profile email phone address", &members(&all)),
    ] {
        let (userinfo, id_token) = told(&server, &[("scope", scope)]).await;
        let mut expected: Vec<&str> = expected.iter().copied().chain(["sub"]).collect();
        expected.sort_unstable();
        let mut given = members(&userinfo);
        given.sort_unstable();
        assert_eq!(given, expected, "{scope}");
        for name in members(&all).into_iter().filter(|name| *name != "address") {
            assert!(userinfo[name].is_null() || userinfo[name] == all[name], "{name}: {userinfo}");
            assert!(id_token[name].is_null(), "{name}: {id_token}");
        }
    }
    let (userinfo, _) = told(&server, &[("scope", "openid address")]).await;
    assert_eq!(userinfo["address"], json!({ "locality": "London", "country": "UK" }), "nothing empty inside either");
    let named = server.get("/.well-known/openid-configuration").await.json();
    let named = named["claims_supported"].as_array().expect("claims");
    assert!(members(&all).iter().all(|name| named.contains(&json!(name))), "{named:?}");
}

#[tokio::test]
async fn without_a_nonce_there_is_none_in_the_id_token() {
    let server = server().await;
    let (_, id_token) = told(&server, &[("nonce", "")]).await;
    assert!(!members(&id_token).contains(&"nonce"), "{id_token}");
}

#[tokio::test]
async fn optional_parameters_that_are_not_supported_are_ignored() {
    let server = server().await;
    for extra in [
        ("display", "page"),
        ("display", "popup"),
        ("display", "wap"),
        ("ui_locales", "se"),
        ("ui_locales", "x-"),
        ("claims_locales", "se fr-CA de"),
        ("acr_values", "urn:mace:incommon:iap:silver 7"),
        ("extra", "foobar"),
        ("claims", r#"{"userinfo":{"name":{"essential":true}},"other":1}"#),
        ("prompt", "create"),
    ] {
        let (userinfo, id_token) = told(&server, &[extra]).await;
        assert_eq!((&userinfo["sub"], &id_token["sub"]), (&json!("u-1"), &json!("u-1")), "{extra:?}");
    }
}

#[tokio::test]
async fn a_login_hint_fills_in_the_name() {
    let server = server().await;
    let spa = RelyingParty::new(&server, "spa");
    let page = Browser::new(&server).visit(&spa.authorize_path(&[("login_hint", "ada\"<")])).await.expect_page(200);
    assert!(page.body.contains("value=\"ada&quot;&lt;\"") || page.body.contains("value=\"ada&#34;&lt;\""), "{page:#?}");
}

#[tokio::test]
async fn a_requested_acr_is_returned_if_a_password_satisfies_it() {
    let server = server().await;
    let wish = |wish: Value| json!({ "id_token": { "acr": wish } }).to_string();
    for (acr_values, claims, expected) in [
        ("", String::new(), "1"),
        ("0 1", String::new(), "0"),
        ("silver 1 0", String::new(), "1"),
        ("silver", String::new(), "1"),
        ("1", wish(json!({ "values": ["gold", "0"] })), "0"),
        ("0", wish(json!({ "values": ["gold"] })), "0"),
        ("", wish(json!({ "essential": true })), "1"),
        ("", wish(json!({ "essential": true, "value": "0" })), "0"),
        ("", wish(json!({ "essential": true, "values": ["gold", "1"] })), "1"),
        ("", wish(json!(null)), "1"),
    ] {
        let (_, id_token) = told(&server, &[("acr_values", acr_values), ("claims", &claims)]).await;
        assert_eq!(id_token["acr"], expected, "{acr_values} {claims}");
    }
}

#[tokio::test]
async fn an_essential_acr_that_cannot_be_met_is_an_error() {
    let server = server().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    for demand in [json!({ "essential": true, "values": ["gold"] }), json!({ "essential": true, "value": "gold" })] {
        let claims = json!({ "id_token": { "acr": demand } }).to_string();
        for prompt in ["", "none", "login"] {
            let answer = browser.get(&spa.authorize_path(&[("claims", &claims), ("prompt", prompt)])).await;
            answer.expect_error_redirect("unmet_authentication_requirements");
        }
    }
}

#[tokio::test]
async fn a_request_object_is_refused_in_the_response_mode_that_it_asks_for() {
    let server = server().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let object = |payload: &str| format!("eyJhbGciOiJub25lIn0.{}.", URL_SAFE_NO_PAD.encode(payload));
    let mut refusal = async |payload: &str, beside: &[(&str, &str)]| {
        let object = object(payload);
        browser.get(&spa.authorize_path(&[&[("request", object.as_str())], beside].concat())).await
    };
    let inside = r#"{"state":"in the object","response_mode":"form_post","nonce":"n","max_age":1,"claims":{}}"#;
    let page = refusal(inside, &[("state", "")]).await.expect_page(200);
    assert_eq!(page.hidden("error"), "request_not_supported");
    assert_eq!(page.hidden("state"), "in the object");
    let page = refusal(inside, &[]).await.expect_page(200);
    assert_eq!(page.hidden("state"), "state-._~ with spaces &amp; ampersands", "what stands outside holds");
    let answer = refusal(inside, &[("response_mode", "query")]).await;
    answer.expect_error_redirect("request_not_supported");
    // An unreadable object is ignored.
    for payload in ["", "[]", "{", r#"{"state":7}"#, r#"{"response_mode":["form_post"]}"#] {
        refusal(payload, &[]).await.expect_error_redirect("request_not_supported");
    }
    // An invalid value inside is as invalid as it would be outside.
    refusal(r#"{"response_mode":"fragment"}"#, &[]).await.expect_error_redirect("invalid_request");
    refusal("{\"state\":\"a\\nb\"}", &[("state", "")]).await.expect_error_redirect("invalid_request");
}

#[tokio::test]
async fn an_answer_by_form_carries_what_one_by_redirect_does() {
    let server = server().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let by_form = |extra: &[(&str, &str)]| spa.authorize_path(&[&[("response_mode", "form_post")], extra].concat());
    let common = |page: &Answer| {
        assert!(page.body.contains(&format!("method=\"post\" action=\"{CALLBACK}\"")), "{page:#?}");
        assert!(!page.body.contains("enctype"), "the default one");
        assert_eq!(page.hidden("state"), "state-._~ with spaces &amp; ampersands");
        assert_eq!(page.hidden("iss"), "https://login.acme.example");
    };
    for (extra, error) in [
        (&[("prompt", "none")][..], "login_required"),
        (&[("response_type", "")], "invalid_request"),
        (&[("request", "eyJhbGciOiJub25lIn0.e30.")], "request_not_supported"),
        (&[("request_uri", "https://app.acme.example/r")], "request_uri_not_supported"),
    ] {
        let page = browser.get(&by_form(extra)).await.expect_page(200);
        assert_eq!(page.hidden("error"), error);
        common(&page);
    }
    let login = browser.visit(&by_form(&[])).await;
    let page = browser.sign_in(&login).await.expect_page(200);
    common(&page);
    spa.redeem(&page.hidden("code")).await.expect(200);
    common(&browser.get(&by_form(&[("prompt", "none")])).await.expect_page(200));
}
