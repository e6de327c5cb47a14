//! How many sessions one person may have.

use uitsmijter::session::Session;
use uitsmijter::session::crowd::Crowds;

use crate::harness::{Browser, RelyingParty, TestServer, fixtures};

#[tokio::test]
async fn the_oldest_session_ends_when_there_are_too_many() {
    let server = TestServer::start_with(&fixtures::documents(), &[("SESSIONS_PER_PERSON", "3")]).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browsers = Vec::new();
    let mut refresh_tokens = Vec::new();
    for _ in 0..5 {
        let mut browser = Browser::new(&server);
        let tokens = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200);
        refresh_tokens.push(tokens.member("refresh_token"));
        browsers.push(browser);
        server.clock.advance(std::time::Duration::from_secs(1));
    }
    let silent = spa.authorize_path(&[("prompt", "none")]);
    for (number, browser) in browsers.iter_mut().enumerate() {
        let answer = browser.get(&silent).await;
        if number < 2 {
            answer.expect_error_redirect("login_required");
            spa.refresh(&refresh_tokens[number]).await.expect_error(400, "invalid_grant");
        } else {
            spa.code_of(&answer);
        }
    }
    let left = Session::of(&server.app.store.within("acme"), "acme-ada").await.unwrap();
    assert_eq!(left.len(), 3);
}

#[test]
fn sessions_are_seldom_counted_and_never_more_than_allowed() {
    let crowds = Crowds::of_at_most(100);
    let (mut sessions, mut counted) = (0_usize, 0);
    for number in 1..=300 {
        sessions += 1;
        if crowds.is_count_due("acme", "ada") {
            sessions = sessions.min(100);
            crowds.counted("acme", "ada", sessions);
            counted += 1;
        }
        assert!(sessions <= 100, "{sessions}");
        assert!(number > 24 || counted == 0, "an ordinary person is never counted");
        assert!(number > 90 || counted <= 10, "{counted}");
    }
    assert!(!crowds.is_count_due("acme", "bob"));
}
