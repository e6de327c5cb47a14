//! Authorization codes: RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9068, OIDC Core §3.1.3.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use uitsmijter::session::Session;

use crate::harness::fixtures::{self, CALLBACK, PASSWORD};
use crate::harness::relying_party::VERIFIER;
use crate::harness::response::decoded;
use crate::harness::{Browser, RelyingParty, TestServer};

const GRANT: (&str, &str) = ("grant_type", "authorization_code");

#[tokio::test]
async fn the_tokens_say_who_what_and_for_whom() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    let access = tokens.access_claims();
    let id = decoded(&tokens.member("id_token"), 1);
    for (name, value) in [
        ("iss", json!("https://login.acme.example")),
        ("sub", json!("acme-ada")),
        ("aud", json!("spa")),
        ("client_id", json!("spa")),
        ("tenant", json!("acme")),
        ("role", json!("admin")),
        ("user", json!("ada")),
        ("scope", json!("openid profile email staff")),
    ] {
        assert_eq!(access[name], value, "{name}");
    }
    assert_eq!(access["exp"].as_i64().expect("exp") - access["iat"].as_i64().expect("iat"), 7200);
    assert_eq!(access["profile"]["name"], "Ada Lovelace");
    assert_eq!(decoded(&tokens.member("access_token"), 0)["typ"], "at+jwt");
    for (name, value) in [
        ("iss", json!("https://login.acme.example")),
        ("sub", json!("acme-ada")),
        ("aud", json!("spa")),
        ("nonce", json!("n-0S6_WzA2Mj")),
        ("acr", json!("1")),
        ("amr", json!(["pwd"])),
    ] {
        assert_eq!(id[name], value, "{name}");
    }
    assert!(id["at_hash"].is_string() && id["sid"].is_string() && id["auth_time"].is_number());
    assert!(id["email"].is_null(), "profile claims only when asked for by name: {id}");
}

#[tokio::test]
async fn a_second_redemption_revokes_what_the_first_one_gave() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    spa.redeem(&code).await.expect_error(400, "invalid_grant");
    server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect_error(401, "invalid_token");
    spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_reuse_after_the_codes_own_life_still_ends_what_it_gave() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for seconds in [30, 90] {
        let code = spa.obtain_code(&[]).await;
        let tokens = spa.redeem(&code).await.expect(200);
        server.clock.advance(Duration::from_secs(seconds));
        server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(200);
        spa.redeem(&code).await.expect_error(400, "invalid_grant");
        server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect_error(401, "invalid_token");
        spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn of_many_redemptions_at_once_one_wins_at_most_and_nothing_stays_alive() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    let answers = futures_util::future::join_all((0..20).map(|_| spa.redeem(&code))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert!(won.len() <= 1, "{} won", won.len());
    for answer in won {
        server.get_with_token("/userinfo", &answer.member("access_token")).await.expect(401);
    }
}

#[tokio::test]
async fn a_stranger_cannot_use_or_burn_a_code() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    let full = [GRANT, ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    RelyingParty::new(&server, "web").token(&full).await.expect_error(400, "invalid_grant");
    for (name, value) in [
        ("code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong"),
        ("code_verifier", "short"),
        ("code_verifier", ""),
        ("redirect_uri", "http://127.0.0.1/native"),
        ("redirect_uri", ""),
        ("code", "unknown"),
    ] {
        let fields: Vec<_> = full.iter().map(|&(own, is)| (own, if own == name { value } else { is })).collect();
        spa.token(&fields).await.expect_error(400, "invalid_grant");
    }
    spa.redeem(&code).await.expect(200);
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    server.clock.advance(Duration::from_secs(59));
    spa.redeem(&code).await.expect(200);
    let late = spa.obtain_code(&[]).await;
    server.clock.advance(Duration::from_secs(60));
    spa.redeem(&late).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_confidential_client_may_leave_pkce_out_and_then_cannot_bring_it_back() {
    let server = TestServer::start().await;
    let web = RelyingParty::new(&server, "web");
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = web.obtain_code(&without).await;
    web.redeem(&code).await.expect_error(400, "invalid_grant");
    web.token(&[GRANT, ("code", &code), ("redirect_uri", CALLBACK)]).await.expect(200);
}

#[tokio::test]
async fn without_openid_there_is_no_id_token() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[("scope", "read:mail")]).await;
    assert!(spa.redeem(&code).await.expect(200).json()["id_token"].is_null());
}

#[tokio::test]
async fn a_resource_indicator_becomes_the_audience() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[("resource", "https://api.acme.example/")]).await;
    assert_eq!(spa.redeem(&code).await.expect(200).access_claims()["aud"], "https://api.acme.example/");
}

#[tokio::test]
async fn nobody_gets_a_token_for_a_resource_that_is_not_registered_for_the_client() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let foreign = ("resource", "https://shop.acme.example");
    server.get(&spa.authorize_path(&[foreign])).await.expect_error_redirect("invalid_target");
    let mixed = [("resource", "https://one.example/"), foreign];
    server.get(&spa.authorize_path(&mixed)).await.expect_error_redirect("invalid_target");
    let code = spa.obtain_code(&[]).await;
    let grant = [GRANT, ("code", code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    spa.token(&[&grant[..], &[foreign]].concat()).await.expect_error(400, "invalid_target");
    let tokens = spa.redeem(&code).await.expect(200);
    let refresh_token = tokens.member("refresh_token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token), foreign];
    spa.token(&refresh).await.expect_error(400, "invalid_target");
    let service = RelyingParty::new(&server, "service");
    service.token(&[("grant_type", "client_credentials"), foreign]).await.expect_error(400, "invalid_target");
    let password = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD), foreign];
    RelyingParty::new(&server, "legacy").token(&password).await.expect_error(400, "invalid_target");
    let device = RelyingParty::new(&server, "tv").post("/device_authorization", &[foreign]).await;
    device.expect_error(400, "invalid_target");
}

#[tokio::test]
async fn a_token_for_another_resource_is_no_token_for_userinfo() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[("resource", "https://api.acme.example/")]).await;
    let token = spa.redeem(&code).await.expect(200).member("access_token");
    for path in ["/userinfo", "/token/info"] {
        server.get_with_token(path, &token).await.expect_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_code_is_worthless_after_its_person_has_signed_out() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let hint = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200).member("id_token");
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    store.hold_the_next("code");
    let sign_out = async {
        store.wanted().await;
        browser.get(&format!("/logout?id_token_hint={hint}")).await.expect_page(200);
        store.go_on();
    };
    let (redeemed, ()) = tokio::join!(spa.redeem(&code), sign_out);
    redeemed.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_person_who_signs_out_meanwhile_gets_no_code() {
    for scope in ["openid", "openid offline_access"] {
        let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
        let spa = RelyingParty::new(&server, "spa");
        let mut browser = Browser::new(&server);
        spa.obtain_code_in(&mut browser, &[]).await;
        store.hold_the_next("code");
        let sign_out = async {
            store.wanted().await;
            Session::end_everywhere(&server.app.store.within("acme"), "acme-ada").await.unwrap();
            store.go_on();
        };
        let asked = spa.authorize_path(&[("prompt", "none"), ("scope", scope)]);
        let (answer, ()) = tokio::join!(browser.get(&asked), sign_out);
        answer.expect_error_redirect("login_required");
    }
}

#[tokio::test]
async fn a_token_may_be_asked_for_one_of_the_granted_resources_and_for_no_other() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let (one, two) = ("https://one.example/", "https://two.example/");
    let code = spa.obtain_code(&[("resource", one), ("resource", two)]).await;
    let fields = |resource| {
        let grant = [GRANT, ("code", code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        [&grant[..], &[("resource", resource)]].concat()
    };
    spa.token(&fields("https://three.example/")).await.expect_error(400, "invalid_target");
    spa.token(&fields("three")).await.expect_error(400, "invalid_target");
    let answer = spa.token(&fields(one)).await.expect(200);
    assert_eq!(answer.access_claims()["aud"], one);
    let refresh_token = answer.member("refresh_token");
    let fields =
        |resource| [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str()), ("resource", resource)];
    spa.token(&fields("https://three.example/")).await.expect_error(400, "invalid_target");
    let second = spa.token(&fields(two)).await.expect(200);
    assert_eq!(second.access_claims()["aud"], two);
    let all = spa.refresh(&second.member("refresh_token")).await.expect(200);
    assert_eq!(all.access_claims()["aud"], json!([one, two]), "the grant itself is not narrowed");
}

#[tokio::test]
async fn at_hash_follows_the_algorithm_that_the_client_or_the_tenant_chose() {
    let client = "name: Plain\nconfig:\n  tenantname: acme\n  ident: plain\n  redirect_urls: ['https://app.acme.example/callback']\n  scopes: [openid]\n  id_token_signed_response_alg: RS256\n";
    let documents = format!("{}\n---\n{client}", crate::harness::fixtures::documents());
    let server = TestServer::start_with(&documents, &[("JWT_ALGORITHM", "EdDSA")]).await;
    for (client_id, alg, hash, half) in
        [("spa", "EdDSA", &aws_lc_rs::digest::SHA512, 32), ("plain", "RS256", &aws_lc_rs::digest::SHA256, 16)]
    {
        let client = RelyingParty::new(&server, client_id);
        let code = client.obtain_code(&[]).await;
        let tokens = client.redeem(&code).await.expect(200);
        let digest = aws_lc_rs::digest::digest(hash, tokens.member("access_token").as_bytes());
        let expected = URL_SAFE_NO_PAD.encode(&digest.as_ref()[..half]);
        let id_token = tokens.member("id_token");
        assert_eq!((&decoded(&id_token, 0)["alg"], &decoded(&id_token, 1)["at_hash"]), (&json!(alg), &json!(expected)));
        assert_eq!(decoded(&tokens.member("access_token"), 0)["alg"], "EdDSA");
    }
}
