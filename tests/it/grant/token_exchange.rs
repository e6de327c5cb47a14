//! Token exchange: RFC 8693.

use std::time::Duration;

use serde_json::json;

use crate::harness::fixtures::{self, CALLBACK, SECRET};
use crate::harness::server::GLOBEX;
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID: &str = "urn:ietf:params:oauth:token-type:id_token";
const SUBJECT_TYPE: (&str, &str) = ("subject_token_type", ACCESS);

/// Ada's tokens for the single-page application.
async fn adas(server: &TestServer) -> Answer {
    let spa = RelyingParty::new(server, "spa");
    let code = spa.obtain_code(&[("scope", "openid profile email read:mail")]).await;
    spa.redeem(&code).await.expect(200)
}

async fn exchange(server: &TestServer, subject: &str, extra: &[(&str, &str)]) -> Answer {
    let service = RelyingParty::new(server, "exchange-service");
    service.token(&[&[GRANT, SUBJECT_TYPE, ("subject_token", subject)], extra].concat()).await
}

#[tokio::test]
async fn a_service_gets_a_token_for_the_next_service_as_the_person() {
    let server = TestServer::start().await;
    let token = adas(&server).await.member("access_token");
    let answer = exchange(&server, &token, &[("audience", "service"), ("resource", "https://api.example/")]).await;
    let answer = answer.expect(200);
    let body = answer.json();
    assert_eq!((&body["issued_token_type"], &body["token_type"]), (&json!(ACCESS), &json!("Bearer")));
    assert_eq!(body["scope"], "profile read:mail", "what both the token and the service may");
    assert!(body["refresh_token"].is_null() && body["id_token"].is_null());
    let claims = answer.access_claims();
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("acme-ada"), &json!("exchange-service")));
    assert_eq!(claims["aud"], json!(["https://api.example/", "service"]));
    assert!(claims["act"].is_null(), "impersonation does not tell");
    // It is for those services and not for ours; and without openid it is not an OpenID Connect token.
    server.get_with_token("/token/info", &answer.member("access_token")).await.expect_error(401, "invalid_token");
    let narrowed = exchange(&server, &token, &[("scope", "read:mail")]).await.expect(200);
    assert_eq!(narrowed.json()["scope"], "read:mail");
    assert_eq!(narrowed.access_claims()["aud"], "exchange-service");
    let own = narrowed.member("access_token");
    assert_eq!(server.get_with_token("/token/info", &own).await.expect(200).json()["sub"], "acme-ada");
    server.get_with_token("/userinfo", &own).await.expect_error(403, "insufficient_scope");
}

#[tokio::test]
async fn a_delegated_token_tells_who_acts_and_who_acted_before() {
    let server = TestServer::start().await;
    let token = adas(&server).await.member("access_token");
    let service = RelyingParty::new(&server, "exchange-service");
    let own = service.token(&[("grant_type", "client_credentials")]).await.expect(200).member("access_token");
    let actor = [("actor_token", own.as_str()), ("actor_token_type", ACCESS), ("audience", "service")];
    let first = exchange(&server, &token, &actor).await.expect(200);
    let act = json!({ "sub": "exchange-service", "client_id": "exchange-service" });
    assert_eq!(first.access_claims()["act"], act);
    let next = RelyingParty::new(&server, "service");
    let nexts = next.token(&[("grant_type", "client_credentials")]).await.expect(200).member("access_token");
    let (subject, subject_type) = (first.member("access_token"), SUBJECT_TYPE);
    let fields = [GRANT, subject_type, ("subject_token", &subject)];
    let actor = [("actor_token", nexts.as_str()), ("actor_token_type", ACCESS)];
    let second = next.token(&[fields.as_slice(), &actor].concat()).await.expect(200);
    let chain = json!({ "sub": "service", "client_id": "service", "act": act });
    assert_eq!(second.access_claims()["act"], chain);
    let subject = second.member("access_token");
    let kept = next.token(&[GRANT, subject_type, ("subject_token", &subject)]).await.expect(200);
    assert_eq!(kept.access_claims()["act"], chain, "nobody can drop who acted");
    let told = service.post("/introspect", &[("token", &second.member("access_token"))]).await.expect(200);
    assert_eq!(told.json()["act"], chain);
    // A client cannot name another actor.
    let borrowed = [("actor_token", nexts.as_str()), ("actor_token_type", ACCESS)];
    exchange(&server, &token, &borrowed).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn a_token_is_exchanged_by_those_it_was_made_for_and_by_nobody_else() {
    let server = TestServer::start().await;
    let token = adas(&server).await.member("access_token");
    let fields = |token| [GRANT, SUBJECT_TYPE, ("subject_token", token)];
    let other = RelyingParty::new(&server, "service");
    other.token(&fields(&token)).await.expect_error(400, "invalid_request");
    let for_it = exchange(&server, &token, &[("audience", "service")]).await.expect(200).member("access_token");
    other.token(&fields(&for_it)).await.expect(200);
    let not_for_it = exchange(&server, &token, &[]).await.expect(200).member("access_token");
    other.token(&fields(&not_for_it)).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn an_exchanged_id_token_gives_no_more_than_the_person_granted() {
    let client = format!(
        "name: Greedy\nconfig:\n  tenantname: acme\n  ident: greedy-service\n  secret: '{SECRET}'\n  redirect_urls: ['{CALLBACK}']\n  \
         grant_types: [authorization_code, 'urn:ietf:params:oauth:grant-type:token-exchange']\n  \
         scopes: [openid, profile, email, jobs, offline_access]\n  consent: required"
    );
    let server = TestServer::start_with(&format!("{}\n---\n{client}", fixtures::documents()), &[]).await;
    let greedy = RelyingParty::new(&server, "greedy-service");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&greedy.authorize_path(&[("scope", "openid email")])).await;
    let question = browser.sign_in(&page).await.expect_page(200);
    let allowed = [("interaction", &*question.hidden("interaction")), ("decision", "allow")];
    let answer = browser.post("/consent", &allowed).await;
    let code = greedy.code_of(&browser.follow(answer).await);
    let id_token = greedy.redeem(&code).await.expect(200).member("id_token");
    let fields = [GRANT, ("subject_token_type", ID), ("subject_token", &id_token)];
    let answer = greedy.token(&fields).await.expect(200);
    assert_eq!(answer.json()["scope"], "email");
    greedy.token(&[fields.as_slice(), &[("scope", "jobs")]].concat()).await.expect_error(400, "invalid_scope");
    browser.get(&format!("/logout?id_token_hint={id_token}")).await.expect_page(200);
    let after = server.get_with_token("/token/info", &answer.member("access_token")).await;
    after.expect_error(401, "invalid_token");
}

#[tokio::test]
async fn an_exchanged_token_ends_with_the_one_it_comes_from() {
    let server = TestServer::start().await;
    let tokens = adas(&server).await;
    server.clock.advance(Duration::from_secs(7000));
    let answer = exchange(&server, &tokens.member("access_token"), &[]).await.expect(200);
    assert_eq!(answer.json()["expires_in"], 200);
    let exchanged = answer.member("access_token");
    RelyingParty::new(&server, "spa").post("/revoke", &[("token", &tokens.member("refresh_token"))]).await.expect(200);
    server.get_with_token("/userinfo", &exchanged).await.expect(401);
    exchange(&server, &exchanged, &[]).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn an_id_token_is_exchanged_by_its_own_client_as_long_as_the_session_lives() {
    let server = TestServer::start().await;
    let service = RelyingParty::new(&server, "exchange-service");
    let mut browser = Browser::new(&server);
    let code = service.obtain_code_in(&mut browser, &[]).await;
    let own = service.redeem(&code).await.expect(200).member("id_token");
    let foreign = adas(&server).await.member("id_token");
    let fields = |token| [GRANT, ("subject_token_type", ID), ("subject_token", token)];
    let answer = service.token(&fields(&own)).await.expect(200);
    assert_eq!(answer.access_claims()["sub"], "acme-ada");
    assert_eq!(answer.json()["scope"], "profile");
    service.token(&fields(&foreign)).await.expect_error(400, "invalid_request");
    exchange(&server, &own, &[]).await.expect_error(400, "invalid_request");
    browser.get(&format!("/logout?id_token_hint={own}")).await.expect_page(200);
    server.get_with_token("/userinfo", &answer.member("access_token")).await.expect(401);
    service.token(&fields(&own)).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_by_name() {
    let server = TestServer::start().await;
    let token = adas(&server).await.member("access_token");
    for (extra, code) in [
        (&[("scope", "read:other")][..], "invalid_scope"),
        (&[("scope", "email")], "invalid_scope"),
        (&[("audience", "nobody")], "invalid_target"),
        (&[("resource", "api")], "invalid_target"),
        (&[("resource", "https://other.example/")], "invalid_target"),
        (&[("audience", "exchange-service"); 17], "invalid_target"),
        (&[("scope", "openid")], "invalid_scope"),
        (&[("requested_token_type", ID)], "invalid_request"),
        (&[("requested_token_type", "urn:x")], "invalid_request"),
        (&[("actor_token", "x")], "invalid_request"),
        (&[("actor_token_type", ACCESS)], "invalid_request"),
        (&[("actor_token", "x"), ("actor_token_type", ACCESS)], "invalid_request"),
    ] {
        exchange(&server, &token, extra).await.expect_error(400, code);
    }
    exchange(&server, "x", &[]).await.expect_error(400, "invalid_request");
    let service = RelyingParty::new(&server, "exchange-service");
    for kind in ["urn:ietf:params:oauth:token-type:saml2", ID] {
        let fields = [GRANT, ("subject_token", token.as_str()), ("subject_token_type", kind)];
        service.token(&fields).await.expect_error(400, "invalid_request");
    }
    service.token(&[GRANT, SUBJECT_TYPE]).await.expect_error(400, "invalid_request");
    let own = service.token(&[("grant_type", "client_credentials")]).await.expect(200).member("access_token");
    exchange(&server, &own, &[]).await.expect_error(400, "invalid_request");
    let web = RelyingParty::new(&server, "web");
    web.token(&[GRANT, SUBJECT_TYPE, ("subject_token", &token)]).await.expect_error(400, "unauthorized_client");
}

#[tokio::test]
async fn a_token_of_another_tenant_is_worth_nothing() {
    let server = TestServer::start().await;
    let token = adas(&server).await.member("access_token");
    let fields = [GRANT, SUBJECT_TYPE, ("subject_token", token.as_str())];
    let own = [("client_id", "globex-exchange-service"), ("client_secret", SECRET)];
    let mut request = crate::harness::server::form("/token", &[fields.as_slice(), &own].concat());
    request.headers_mut().insert("host", GLOBEX.parse().expect("a host"));
    server.send(request).await.expect_error(400, "invalid_request");
}
