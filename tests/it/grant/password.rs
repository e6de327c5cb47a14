//! The password grant: RFC 6749 §4.3.

use crate::harness::fixtures::PASSWORD;
use crate::harness::{RelyingParty, TestServer};

#[tokio::test]
async fn a_client_with_the_grant_signs_a_person_in_and_gets_no_refresh_token() {
    let server = TestServer::start().await;
    let legacy = RelyingParty::new(&server, "legacy");
    let fields =
        |password| [("grant_type", "password"), ("username", "ada"), ("password", password), ("scope", "openid")];
    let answer = legacy.token(&fields(PASSWORD)).await.expect(200);
    assert!(answer.json()["refresh_token"].is_null());
    assert_eq!(answer.access_claims()["sub"], "acme-ada");
    server.get_with_token("/userinfo", &answer.member("access_token")).await.expect(200);
    legacy.token(&fields("wrong")).await.expect_error(400, "invalid_grant");
    legacy.token(&fields("")).await.expect_error(400, "invalid_request");
}
