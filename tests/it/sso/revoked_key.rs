//! What an operator's revocation of a key does to people who are signed in: signing-keys §4.

use std::sync::Arc;
use std::time::Duration;

use uitsmijter::key::TenantSigning;
use uitsmijter::key::commands::KeyCommands;
use uitsmijter::key::record::SKEW;
use uitsmijter::random::SystemRandom;

use crate::harness::fakes::ManualClock;
use crate::harness::{Browser, RelyingParty, TestServer};

#[tokio::test]
async fn a_key_that_leaked_takes_the_sessions_along_when_the_operator_says_so() {
    let server = TestServer::start().await;
    // The clocks of the operator's machine and of the server differ by the maximum.
    let operators = ManualClock::default();
    server.clock.advance(SKEW - Duration::from_secs(1));
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    let pending = spa.obtain_code_in(&mut browser, &[]).await;
    let (store, settings) = (server.app.store.clone(), server.app.settings.signing.clone());
    let commands = KeyCommands::new(store, settings, Arc::new(operators), Arc::new(SystemRandom)).unwrap();
    let acme = TenantSigning { name: "acme", algorithm: None, overrides: None };
    commands.end_sessions(&acme).await.unwrap();
    server.app.services.keys.follow_news().await.unwrap();
    server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect_error(401, "invalid_token");
    spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
    spa.redeem(&pending).await.expect_error(400, "invalid_grant");
    browser.get(&spa.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
    // A later sign-in is not affected.
    server.clock.advance(SKEW);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(200);
}
