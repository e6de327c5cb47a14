//! `/logout`: OIDC RP-Initiated Logout.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uitsmijter::key::TenantSigning;
use uitsmijter::key::commands::KeyCommands;
use uitsmijter::random::SystemRandom;

use crate::harness::response::decoded;
use crate::harness::{Browser, RelyingParty, TestServer, fixtures};

const BYE: &str = "https://app.acme.example/bye";

#[tokio::test]
async fn a_client_signs_its_person_out_and_gets_the_browser_back() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    let hint = tokens.member("id_token");
    let path = path(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE), ("state", "s 1")]);
    let answer = browser.get(&path).await;
    assert_eq!(answer.location(), format!("{BYE}?state=s+1"));
    assert!(browser.session().is_none());
    browser.get(&spa.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
    spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
    server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(401);
}

#[tokio::test]
async fn offline_access_outlives_the_session() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let code = spa.obtain_code_in(&mut browser, &[("scope", "openid offline_access")]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    browser.get(&path(&[("id_token_hint", &tokens.member("id_token"))])).await.expect_page(200);
    spa.refresh(&tokens.member("refresh_token")).await.expect(200);
}

#[tokio::test]
async fn without_proof_the_person_is_asked_first() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    let question =
        browser.get(&path(&[("client_id", "spa"), ("post_logout_redirect_uri", BYE)])).await.expect_page(200);
    assert!(browser.session().is_some(), "nothing has happened yet");
    let interaction = question.hidden("interaction");
    Browser::new(&server).post("/logout", &[("interaction", &interaction)]).await.expect_page(400);
    assert_eq!(browser.post("/logout", &[("interaction", &interaction)]).await.location(), BYE);
    assert!(browser.session().is_none());
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let hint = spa.redeem(&code).await.expect(200).member("id_token");
    for fields in [
        &[("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", "https://evil.example/")][..],
        &[("id_token_hint", &hint), ("post_logout_redirect_uri", "https://app.acme.example/bye/")],
        &[("id_token_hint", &hint), ("post_logout_redirect_uri", "https://app.acme.example/bye?x=1")],
        &[("client_id", "web"), ("post_logout_redirect_uri", BYE)],
        &[("client_id", "nobody"), ("post_logout_redirect_uri", BYE)],
        &[("id_token_hint", &hint), ("client_id", "web"), ("post_logout_redirect_uri", BYE)],
        &[("id_token_hint", "eyJhbGciOiJub25lIn0.e30."), ("post_logout_redirect_uri", BYE)],
    ] {
        let answer = browser.get(&path(fields)).await.expect_page(400);
        assert_eq!(answer.header("location"), "");
        assert!(browser.session().is_some());
    }
}

#[tokio::test]
async fn a_request_that_names_no_client_ends_on_a_page_of_ours() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for fields in [
        &[][..],
        &[("state", "s")],
        &[("post_logout_redirect_uri", BYE)],
        &[("post_logout_redirect_uri", "https://evil.example/"), ("state", "s")],
    ] {
        let mut browser = Browser::new(&server);
        spa.obtain_code_in(&mut browser, &[]).await;
        let question = browser.get(&path(fields)).await.expect_page(200);
        assert!(browser.session().is_some(), "nobody proved anything: the person is asked");
        let answer = browser.post("/logout", &[("interaction", &question.hidden("interaction"))]).await;
        assert_eq!(answer.expect_page(200).header("location"), "", "{fields:?}");
        assert!(browser.session().is_none());
        browser.get(&spa.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
        // No session, so there is no question.
        let again = browser.get(&path(fields)).await.expect_page(200);
        assert!(!again.body.contains("name=\"interaction\""), "{again:#?}");
    }
}

#[tokio::test]
async fn a_hint_that_was_tampered_with_ends_nothing() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let hint = spa.redeem(&code).await.expect(200).member("id_token");
    let parts: Vec<&str> = hint.split('.').collect();
    let other_claims = parts[1].replacen(&parts[1][10..12], "QQ", 1);
    for forged in [
        format!("{}.{other_claims}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>()),
        "x".into(),
    ] {
        for method in ["GET", "POST"] {
            let fields = [("id_token_hint", forged.as_str()), ("post_logout_redirect_uri", BYE), ("state", "s")];
            let answer = match method {
                "GET" => browser.get(&path(&fields)).await,
                _ => {
                    let round = browser.post("/logout", &fields).await;
                    browser.follow(round).await
                }
            };
            assert_eq!(answer.expect_page(400).header("location"), "");
            assert!(browser.session().is_some());
        }
    }
}

#[tokio::test]
async fn an_expired_hint_is_good_and_a_client_may_ask_by_form_without_state() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let hint = spa.redeem(&code).await.expect(200).member("id_token");
    server.clock.advance(std::time::Duration::from_secs(3 * 60 * 60));
    let round = browser.post("/logout", &[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)]).await;
    assert_eq!(browser.follow(round).await.location(), BYE, "nothing is added");
    assert!(browser.session().is_none());
    // A person who has already signed out is still redirected.
    let again =
        browser.get(&path(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE), ("state", "2")])).await;
    assert_eq!(again.location(), format!("{BYE}?state=2"));
}

#[tokio::test]
async fn a_hint_whose_key_is_gone_proves_nothing_and_the_person_is_asked() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let hint = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200).member("id_token");
    let kid = decoded(&hint, 0)["kid"].as_str().expect("a kid").to_owned();
    let (store, settings) = (server.app.store.clone(), server.app.settings.signing.clone());
    let commands = KeyCommands::new(store, settings, Arc::new(server.clock.clone()), Arc::new(SystemRandom)).unwrap();
    commands.revoke(&TenantSigning { name: "acme", algorithm: None, overrides: None }, &kid).await.unwrap();
    server.app.services.keys.follow_news().await.unwrap();
    let fields = [("id_token_hint", hint.as_str()), ("client_id", "spa"), ("post_logout_redirect_uri", BYE)];
    let question = browser.get(&path(&fields)).await.expect_page(200);
    assert!(browser.session().is_some(), "nothing has happened yet");
    assert_eq!(browser.post("/logout", &[("interaction", &question.hidden("interaction"))]).await.location(), BYE);
}

#[tokio::test]
async fn a_hint_forged_with_the_shared_secret_is_refused() {
    let secret = "a secret that resource servers have, too";
    let server = TestServer::start_with(&fixtures::documents(), &[("JWT_SECRET", secret)]).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let tokens = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200);
    assert_eq!(decoded(&tokens.member("access_token"), 0)["alg"], "HS256");
    let claims = decoded(&tokens.member("id_token"), 1);
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = serde_json::json!({ "alg": "HS256", "typ": decoded(&tokens.member("id_token"), 0)["typ"] });
    let message = format!("{}.{}", encode(&header), encode(&claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())));
    browser.get(&path(&[("id_token_hint", &forged)])).await.expect_page(400);
    let silent = spa.authorize_path(&[("prompt", "none"), ("id_token_hint", &forged)]);
    browser.get(&silent).await.expect_error_redirect("invalid_request");
    assert!(browser.session().is_some());
}

#[tokio::test]
async fn a_client_whose_id_is_a_uuid_may_write_it_in_either_case() {
    let client = format!(
        "name: Uuid\nconfig:\n  tenantname: acme\n  ident: 6F9619FF-8B86-D011-B42D-00CF4FC964FF\n  redirect_urls: ['{}']\n  \
         post_logout_redirect_urls: ['{BYE}']\n  scopes: [openid]",
        fixtures::CALLBACK
    );
    let server = TestServer::start_with(&format!("{}\n---\n{client}", fixtures::documents()), &[]).await;
    let uuid = RelyingParty::new(&server, "6f9619ff-8b86-d011-b42d-00cf4fc964ff");
    let mut browser = Browser::new(&server);
    let hint = uuid.redeem(&uuid.obtain_code_in(&mut browser, &[]).await).await.expect(200).member("id_token");
    let fields = [("id_token_hint", hint.as_str()), ("client_id", uuid.client_id), ("post_logout_redirect_uri", BYE)];
    assert_eq!(browser.get(&path(&fields)).await.location(), BYE);
}

#[tokio::test]
async fn an_access_token_is_no_id_token_hint() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    let access_token = spa.redeem(&code).await.expect(200).member("access_token");
    server.get(&path(&[("id_token_hint", &access_token)])).await.expect_page(400);
}

fn path(fields: &[(&str, &str)]) -> String {
    format!("/logout?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
}
