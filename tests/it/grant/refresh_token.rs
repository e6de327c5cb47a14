//! Refresh tokens: RFC 6749 §6, RFC 9700 §4.14.2.

use std::time::Duration;

use crate::harness::lines::{self, Lines};
use crate::harness::response::decoded;
use crate::harness::{Answer, RelyingParty, TestServer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn signed_in<'s>(server: &'s TestServer, scope: &str) -> (RelyingParty<'s>, Answer) {
    let spa = RelyingParty::new(server, "spa");
    let code = spa.obtain_code(&[("scope", scope)]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    (spa, tokens)
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_for_the_same_sign_in() {
    let server = TestServer::start().await;
    let (spa, first) = signed_in(&server, "openid profile").await;
    server.clock.advance(DAY);
    let second = spa.refresh(&first.member("refresh_token")).await.expect(200);
    let (before, after) = (decoded(&first.member("id_token"), 1), decoded(&second.member("id_token"), 1));
    for name in ["iss", "sub", "aud", "azp", "auth_time", "sid"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert!(after["nonce"].is_null());
    assert_ne!(first.member("refresh_token"), second.member("refresh_token"));
    assert_ne!(first.access_claims()["jti"], second.access_claims()["jti"]);
}

#[tokio::test]
async fn an_answer_that_was_lost_costs_nobody_their_session() {
    let server = TestServer::start().await;
    let (spa, first) = signed_in(&server, "openid").await;
    let first = first.member("refresh_token");
    spa.refresh(&first).await.expect(200);
    let second = spa.refresh(&first).await.expect(200).member("refresh_token");
    let third = spa.refresh(&second).await.expect(200).member("refresh_token");
    spa.refresh(&third).await.expect(200);
}

#[tokio::test]
async fn reuse_after_the_successor_was_used_ends_the_family() {
    let server = TestServer::start().await;
    let (spa, tokens) = signed_in(&server, "openid").await;
    let first = tokens.member("refresh_token");
    let second = spa.refresh(&first).await.expect(200).member("refresh_token");
    let third = spa.refresh(&second).await.expect(200);
    spa.refresh(&first).await.expect_error(400, "invalid_grant");
    spa.refresh(&third.member("refresh_token")).await.expect_error(400, "invalid_grant");
    server.get_with_token("/userinfo", &third.member("access_token")).await.expect(401);
}

#[tokio::test]
async fn two_copies_of_one_token_cannot_both_go_on() {
    let server = TestServer::start().await;
    let (spa, tokens) = signed_in(&server, "openid").await;
    let stolen = tokens.member("refresh_token");
    let thief = spa.refresh(&stolen).await.expect(200).member("refresh_token");
    let owner = spa.refresh(&stolen).await.expect(200).member("refresh_token");
    spa.refresh(&owner).await.expect(200);
    spa.refresh(&thief).await.expect_error(400, "invalid_grant");
    spa.refresh(&owner).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn many_parallel_uses_leave_one_living_family() {
    let server = TestServer::start().await;
    let (spa, tokens) = signed_in(&server, "openid").await;
    let first = tokens.member("refresh_token");
    let second = spa.refresh(&first).await.expect(200).member("refresh_token");
    let answers = futures_util::future::join_all((0..100).map(|_| spa.refresh(&second))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "a client may ask in parallel");
    let third = answers[0].member("refresh_token");
    spa.refresh(&third).await.expect(200);
    spa.refresh(&answers[1].member("refresh_token")).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_scope_may_become_narrower_and_never_wider() {
    let server = TestServer::start().await;
    let (spa, tokens) = signed_in(&server, "openid profile email").await;
    let refresh = tokens.member("refresh_token");
    let fields = |scope| [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("scope", scope)];
    spa.token(&fields("openid read:mail")).await.expect_error(400, "invalid_scope");
    let narrow = spa.token(&fields("openid")).await.expect(200);
    assert_eq!(narrow.json()["scope"], "openid");
    let wide = spa.refresh(&narrow.member("refresh_token")).await.expect(200);
    assert_eq!(wide.json()["scope"], "openid profile email staff", "what was granted stays granted");
}

#[tokio::test]
async fn a_refresh_token_belongs_to_its_client_which_others_cannot_burn() {
    let server = TestServer::start().await;
    let (spa, tokens) = signed_in(&server, "openid").await;
    let refresh = tokens.member("refresh_token");
    RelyingParty::new(&server, "web").refresh(&refresh).await.expect_error(400, "invalid_grant");
    spa.refresh("unknown").await.expect_error(400, "invalid_grant");
    spa.refresh(&tokens.member("access_token")).await.expect_error(400, "invalid_grant");
    spa.refresh(&refresh).await.expect(200);
}

#[tokio::test]
async fn a_guessed_refresh_token_of_a_known_grant_gets_nothing_and_revokes_nothing() {
    let server = TestServer::start().await;
    let ((spa, one), (_, other)) = (signed_in(&server, "openid").await, signed_in(&server, "openid").await);
    let (one, other) = (one.member("refresh_token"), other.member("refresh_token"));
    let ((grant, secret), (_, another)) = (one.split_once('.').unwrap(), other.split_once('.').unwrap());
    assert_eq!(secret.len(), 43, "256 bits");
    let guesses = [
        format!("{grant}.{}", "A".repeat(43)),
        format!("{grant}.{another}"),
        format!("{grant}."),
        format!("{one}."),
        format!(".{secret}"),
        secret.to_owned(),
        grant.to_owned(),
        ".".to_owned(),
    ];
    for guess in guesses {
        spa.refresh(&guess).await.expect_error(400, "invalid_grant");
        spa.post("/revoke", &[("token", &guess)]).await.expect(200);
    }
    spa.refresh(&one).await.expect(200);
    spa.refresh(&other).await.expect(200);
}

#[tokio::test]
async fn an_unused_refresh_token_expires_and_a_used_one_slides() {
    let server = TestServer::start().await;
    let (spa, tokens) = signed_in(&server, "openid").await;
    let mut refresh = tokens.member("refresh_token");
    for _ in 0..4 {
        server.clock.advance(29 * DAY);
        refresh = spa.refresh(&refresh).await.expect(200).member("refresh_token");
    }
    server.clock.advance(31 * DAY);
    spa.refresh(&refresh).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_family_ends_at_its_cap() {
    let environment = [("TOKEN_REFRESH_ABSOLUTE_EXPIRATION_IN_HOURS", "960")];
    let server = TestServer::start_with(&crate::harness::fixtures::documents(), &environment).await;
    let (spa, tokens) = signed_in(&server, "openid").await;
    server.clock.advance(29 * DAY);
    let refresh = spa.refresh(&tokens.member("refresh_token")).await.expect(200).member("refresh_token");
    server.clock.advance(11 * DAY);
    spa.refresh(&refresh).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_refresh_refused_without_a_validation_provider_is_logged() {
    lines::heed_every_thread();
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::fmt().with_writer(lines.clone()).finish());
    let tenant = "name: acme\nconfig:\n  hosts: [login.acme.example]\n  providers: \
        ['class UserLoginProvider { canLogin = true; constructor() { commit(true) } }']\n";
    let documents = format!("{tenant}\n---\n{}", crate::harness::fixtures::clients("acme", ""));
    let server = TestServer::start_with(&documents, &[("ALLOW_MISSING_PROVIDERS", "false")]).await;
    let spa = RelyingParty::new(&server, "spa");
    let refresh = spa.redeem(&spa.obtain_code(&[]).await).await.expect(200).member("refresh_token");
    spa.refresh(&refresh).await.expect_error(400, "invalid_grant");
    let log = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    let line = log.lines().find(|line| line.contains("there is no UserValidationProvider"));
    assert!(line.is_some_and(|line| line.contains("WARN") && line.contains("acme")), "{log}");
}

#[tokio::test]
async fn a_person_whom_the_login_script_no_longer_accepts_gets_nothing_new() {
    // A backend script: a person may stay while their name has no exclamation mark.
    let tenant = r#"
name: acme
config:
  hosts: ["login.acme.example"]
  providers: ["class UserLoginProvider { constructor(c) { commit(true) } get canLogin() { return true } }
    class UserValidationProvider { constructor(c) { this.c = c; commit(true) }
    get isValid() { return !this.c.username.includes('!') } }"]
"#;
    let documents = format!("{tenant}\n---\n{}", crate::harness::fixtures::clients("acme", ""));
    let server = TestServer::start_with(&documents, &[]).await;
    let spa = RelyingParty::new(&server, "spa");
    for (username, stays) in [("ada", true), ("eve!", false)] {
        let mut browser = crate::harness::Browser::new(&server);
        let page = browser.visit(&spa.authorize_path(&[])).await.expect_page(200);
        let answer = browser.sign_in_as(&page, username, "any").await;
        let tokens = spa.redeem(&spa.code_of(&answer)).await.expect(200);
        let answer = spa.refresh(&tokens.member("refresh_token")).await;
        if stays {
            answer.expect(200);
        } else {
            answer.expect_error(400, "invalid_grant");
        }
    }
}
