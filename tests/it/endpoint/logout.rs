//! `/logout`: OIDC RP-Initiated Logout.

use crate::harness::{Browser, RelyingParty, TestServer};

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
        // Nobody is signed in, so nobody is asked.
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
    // Whoever is signed out already is sent back all the same.
    let again =
        browser.get(&path(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE), ("state", "2")])).await;
    assert_eq!(again.location(), format!("{BYE}?state=2"));
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
