//! `/device_authorization` and `/activate`: RFC 8628 §3.1 to §3.3 and §5.1.

use std::time::Duration;

use uitsmijter::login::attempts::Limit;

use crate::harness::fixtures::PASSWORD;
use crate::harness::server::GLOBEX;
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

async fn started(server: &TestServer) -> Answer {
    RelyingParty::new(server, "tv").post("/device_authorization", &[("scope", "openid profile")]).await.expect(200)
}

/// The page that asks `ada` for a code.
async fn asked(browser: &mut Browser<'_>) -> Answer {
    let page = browser.visit("/activate").await;
    browser.sign_in(&page).await.expect_page(200)
}

#[tokio::test]
async fn a_device_is_told_where_to_send_its_person() {
    let server = TestServer::start().await;
    let answer = started(&server).await;
    let (body, user_code) = (answer.json(), answer.member("user_code"));
    assert_eq!(body["verification_uri"], "https://login.acme.example/activate");
    let complete = format!("https://login.acme.example/activate?user_code={user_code}");
    assert_eq!(body["verification_uri_complete"], complete);
    assert_eq!((&body["expires_in"], &body["interval"]), (&1800.into(), &5.into()));
    assert!(answer.member("device_code").len() >= 22, "128 bits at least");
    let letters = |part: &str| part.len() == 4 && part.chars().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(c));
    assert!(user_code.split('-').all(letters) && user_code.len() == 9, "{user_code}");
}

#[tokio::test]
async fn a_client_must_be_allowed_to_start_a_device_and_prove_itself() {
    let server = TestServer::start().await;
    let path = "/oauth/device_authorization";
    RelyingParty::new(&server, "spa").post(path, &[]).await.expect_error(400, "unauthorized_client");
    server.post(path, &[("client_id", "web")]).await.expect_error(401, "invalid_client");
    RelyingParty::new(&server, "tv").post(path, &[("scope", "jobs")]).await.expect_error(400, "invalid_scope");
    RelyingParty::new(&server, "tv").post(path, &[("resource", "x")]).await.expect_error(400, "invalid_target");
}

#[tokio::test]
async fn a_person_types_the_code_in_any_spelling_and_sees_who_asks_for_what() {
    let server = TestServer::start().await;
    let user_code = started(&server).await.member("user_code");
    let mut browser = Browser::new(&server);
    let interaction = asked(&mut browser).await.hidden("interaction");
    for typed in [user_code.clone(), user_code.to_lowercase().replace('-', ""), user_code.replace('-', " ")] {
        let page = browser.post("/activate", &[("interaction", &interaction), ("user_code", &typed)]).await;
        let page = page.expect_page(200);
        for shown in ["Television", "Ada Lovelace", user_code.as_str(), "value=\"allow\"", "value=\"deny\""] {
            assert!(page.body.contains(shown), "{shown}: {page:#?}");
        }
    }
}

#[tokio::test]
async fn a_complete_address_still_asks_before_anything_is_allowed() {
    let server = TestServer::start().await;
    let user_code = started(&server).await.member("user_code");
    let mut browser = Browser::new(&server);
    let login = browser.visit(&format!("/activate?user_code={user_code}")).await;
    let question = browser.sign_in(&login).await.expect_page(200);
    assert!(question.body.contains("value=\"allow\""), "{question:#?}");
    let wrong = browser.visit("/activate?user_code=BBBB-BBBB").await.expect_page(400);
    assert!(wrong.body.contains("data-error=\"unknown_code\""), "{wrong:#?}");
}

#[tokio::test]
async fn a_decision_is_taken_once_and_in_the_browser_that_was_asked() {
    let server = TestServer::start().await;
    let user_code = started(&server).await.member("user_code");
    let mut browser = Browser::new(&server);
    let interaction = asked(&mut browser).await.hidden("interaction");
    let fields = [("interaction", interaction.as_str()), ("user_code", &user_code), ("decision", "allow")];
    let foreign = Browser::new(&server).post("/activate", &fields).await.expect_page(400);
    assert!(foreign.body.contains("data-error=\"expired\""), "{foreign:#?}");
    let forged = [("user_code", user_code.as_str()), ("decision", "allow")];
    browser.post("/activate", &forged).await.expect_page(400);
    let maybe = [fields[0], fields[1], ("decision", "perhaps")];
    browser.post("/activate", &maybe).await.expect_page(400);
    browser.post("/activate", &fields).await.expect_page(200);
    browser.post("/activate", &fields).await.expect_page(400);
    let again = asked_again(&mut browser).await;
    let fields = [("interaction", again.as_str()), ("user_code", &user_code), ("decision", "deny")];
    let gone = browser.post("/activate", &fields).await.expect_page(400);
    assert!(gone.body.contains("data-error=\"unknown_code\""), "a decided code is no code: {gone:#?}");
}

async fn asked_again(browser: &mut Browser<'_>) -> String {
    browser.visit("/activate").await.expect_page(200).hidden("interaction")
}

#[tokio::test]
async fn a_person_who_guesses_runs_out_of_attempts_and_others_do_not() {
    let server = TestServer::start().await;
    let user_code = started(&server).await.member("user_code");
    let mut browser = Browser::new(&server);
    let interaction = asked(&mut browser).await.hidden("interaction");
    let guess = [("interaction", interaction.as_str()), ("user_code", "BBBBBBBB")];
    for _ in 0..20 {
        browser.post("/activate", &guess).await.expect_page(400);
    }
    let right = [("interaction", interaction.as_str()), ("user_code", &user_code)];
    let refused = browser.post("/activate", &right).await.expect_page(429);
    assert!(refused.body.contains("data-error=\"too_many_attempts\""), "{refused:#?}");
    let mut fresh = Browser::new(&server);
    let own = asked(&mut fresh).await.hidden("interaction");
    fresh.post("/activate", &[("interaction", &own), ("user_code", &user_code)]).await.expect_page(429);
    let mut bob = Browser::new(&server);
    let login = bob.visit("/activate").await;
    let own = bob.sign_in_as(&login, "bob", PASSWORD).await.expect_page(200).hidden("interaction");
    bob.post("/activate", &[("interaction", &own), ("user_code", &user_code)]).await.expect_page(200);
    server.clock.advance(Duration::from_secs(600));
    browser.post("/activate", &right).await.expect_page(200);
}

#[tokio::test]
async fn when_all_people_together_have_tried_too_many_codes_each_still_has_a_few_tries() {
    let server = TestServer::start().await;
    let user_code = started(&server).await.member("user_code");
    // Fifty accounts try the maximum.
    let limit = Limit { attempts: 1000, window: Duration::from_secs(600) };
    let (store, now) = (server.app.store.within("acme"), server.app.services.clock.now());
    while limit.take(&store, "activate", now).await.expect("the store") {}
    let mut browser = Browser::new(&server);
    let interaction = asked(&mut browser).await.hidden("interaction");
    let guess = [("interaction", interaction.as_str()), ("user_code", "BBBBBBBB")];
    for _ in 0..2 {
        browser.post("/activate", &guess).await.expect_page(400);
    }
    let right = [("interaction", interaction.as_str()), ("user_code", &user_code)];
    browser.post("/activate", &right).await.expect_page(200);
    browser.post("/activate", &guess).await.expect_page(429);
}

#[tokio::test]
async fn a_code_of_one_tenant_is_nothing_at_another() {
    let server = TestServer::start().await;
    let user_code = started(&server).await.member("user_code");
    let mut browser = Browser::at(&server, GLOBEX);
    let interaction = asked(&mut browser).await.hidden("interaction");
    browser.post("/activate", &[("interaction", &interaction), ("user_code", &user_code)]).await.expect_page(400);
}

#[tokio::test]
async fn the_login_script_is_told_that_a_device_is_waiting() {
    let script = "class UserLoginProvider { constructor(credentials) { this.ok = credentials.grant_type === 'device_code'; commit(this.ok); } get canLogin() { return this.ok; } get userProfile() { return {}; } get role() { return 'user'; } }";
    let tenant = format!("name: scripted\nconfig:\n  hosts: [login.scripted.example]\n  providers: {script:?}\n");
    let server =
        TestServer::start_with(&format!("{}\n---\n{tenant}", crate::harness::fixtures::documents()), &[]).await;
    let mut browser = Browser::at(&server, "login.scripted.example");
    let page = browser.visit("/login").await;
    browser.sign_in_as(&page, "ada", "x").await.expect_page(403);
    let page = browser.visit("/activate").await;
    let asked = browser.sign_in_as(&page, "ada", "x").await.expect_page(200);
    assert!(asked.body.contains("name=\"user_code\""), "{asked:#?}");
}
