//! `/`: a person's own sessions, and how they end.

use std::time::Duration;

use crate::harness::{Browser, RelyingParty, TestServer};

/// Signs `ada` in with another browser.
async fn browser(server: &TestServer) -> Browser<'_> {
    let mut browser = Browser::new(server);
    RelyingParty::new(server, "spa").obtain_code_in(&mut browser, &[]).await;
    server.clock.advance(Duration::from_secs(60));
    browser
}

async fn is_signed_in(server: &TestServer, browser: &mut Browser<'_>) -> bool {
    let path = RelyingParty::new(server, "spa").authorize_path(&[("prompt", "none")]);
    browser.get(&path).await.query().contains_key("code")
}

/// The sessions on the page, the newest first.
fn sessions(page: &str) -> Vec<String> {
    let values = page.split("name=\"session\" value=\"").skip(1);
    values.map(|rest| rest.split('"').next().expect("an end").to_owned()).collect()
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_ends_one_of_them() {
    let server = TestServer::start().await;
    let (mut laptop, mut phone) = (browser(&server).await, browser(&server).await);
    let page = phone.get("/").await.expect_page(200);
    let listed = sessions(&page.body);
    assert_eq!(listed.len(), 2);
    assert_eq!(page.body.matches("This browser").count(), 1);
    let fields = [("token", &*page.hidden("token")), ("session", &*listed[1])];
    assert_eq!(phone.post("/", &fields).await.expect(303).location(), "/");
    assert!(is_signed_in(&server, &mut phone).await);
    assert!(!is_signed_in(&server, &mut laptop).await);
    // The session of this browser ends with its cookie.
    let page = phone.get("/").await.expect_page(200);
    let own = sessions(&page.body);
    assert_eq!(own, listed[..1]);
    phone.post("/", &[("token", &page.hidden("token")), ("session", &own[0])]).await.expect(303);
    assert!(phone.session().is_none());
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_and_every_token() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut laptop = Browser::new(&server);
    let code = spa.obtain_code_in(&mut laptop, &[("scope", "openid offline_access")]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    let mut phone = browser(&server).await;
    let page = phone.get("/").await.expect_page(200);
    phone.post("/", &[("token", &page.hidden("token")), ("everywhere", "1")]).await.expect(303);
    assert!(phone.session().is_none());
    assert!(!is_signed_in(&server, &mut laptop).await);
    spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn another_site_and_another_person_end_nothing() {
    let server = TestServer::start().await;
    let mut ada = browser(&server).await;
    let mut bob = Browser::new(&server);
    let page = bob.visit("/login").await;
    bob.sign_in_as(&page, "bob", crate::harness::fixtures::PASSWORD).await;
    let own = sessions(&ada.get("/").await.body)[0].clone();
    let token = bob.get("/").await.hidden("token");
    bob.post("/", &[("token", &token), ("session", &own)]).await.expect(303);
    for token in ["", "made up", &token] {
        ada.post("/", &[("token", token), ("everywhere", "1")]).await.expect_page(400);
    }
    assert!(is_signed_in(&server, &mut ada).await);
}
