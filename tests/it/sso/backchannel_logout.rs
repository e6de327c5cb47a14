//! How clients are told of the end of sessions: OIDC Back-Channel Logout §2.4 to §2.8.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uitsmijter::session::delivery::Delivery;
use uitsmijter::session::participant::Participant;
use uitsmijter::sso::sign_out;

use crate::harness::response::decoded;
use crate::harness::{Application, Browser, Proxy, RelyingParty, TestServer, fixtures};

/// A server whose clients `one` and `two` listen at `application`.
async fn server(application: &Application, environment: &[(&str, &str)]) -> TestServer {
    let client = |ident: &str| {
        format!(
            "name: {ident}\nconfig:\n  tenantname: acme\n  ident: {ident}\n  redirect_urls: ['{}']\n  scopes: [openid]\n  \
             backchannel_logout_uri: {}\n",
            fixtures::CALLBACK,
            application.url("/bye")
        )
    };
    let documents = [fixtures::documents(), client("one"), client("two")].join("\n---\n");
    TestServer::start_with(&documents, environment).await
}

async fn sign_in(server: &TestServer, browser: &mut Browser<'_>, client_id: &'static str) -> Value {
    let client = RelyingParty::new(server, client_id);
    let code = client.obtain_code_in(browser, &[]).await;
    client.redeem(&code).await.expect(200).json()
}

async fn leave(browser: &mut Browser<'_>) {
    let question = browser.get("/logout").await.expect_page(200);
    browser.post("/logout", &[("interaction", &question.hidden("interaction"))]).await.expect_page(200);
}

fn logout_token(body: &str) -> String {
    let fields: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert_eq!(fields.len(), 1, "{body}");
    assert_eq!(fields[0].0, "logout_token");
    fields[0].1.clone()
}

#[tokio::test]
async fn every_client_of_the_session_is_told_once() {
    let application = Application::start("").await;
    let server = server(&application, &[]).await;
    let mut browser = Browser::new(&server);
    let tokens = sign_in(&server, &mut browser, "one").await;
    sign_in(&server, &mut browser, "two").await;
    sign_in(&server, &mut browser, "spa").await;
    let id_token = decoded(tokens["id_token"].as_str().expect("an ID token"), 1);
    browser.get(&format!("/logout?id_token_hint={}", tokens["id_token"].as_str().expect("a hint"))).await.expect(200);
    let mut told: Vec<String> = application.wait_for(2).await.iter().map(|body| logout_token(body)).collect();
    told.sort_by_key(|token| decoded(token, 1)["aud"].to_string());
    for (token, client_id) in told.iter().zip(["one", "two"]) {
        let (header, claims) = (decoded(token, 0), decoded(token, 1));
        assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!("RS256")));
        assert_eq!(claims["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
        let same = |name: &str| assert_eq!(claims[name], id_token[name], "{name}");
        ["iss", "sub", "sid"].into_iter().for_each(same);
        assert_eq!(claims["aud"], client_id);
        assert!(claims["iat"].is_i64() && claims["exp"].as_i64() == claims["iat"].as_i64().map(|iat| iat + 120));
        assert!(claims["jti"].is_string() && claims["nonce"].is_null());
    }
    assert_ne!(decoded(&told[0], 1)["jti"], decoded(&told[1], 1)["jti"]);
}

#[tokio::test]
async fn other_sessions_go_on_and_their_clients_hear_nothing() {
    let application = Application::start("").await;
    let server = server(&application, &[]).await;
    let (mut first, mut second) = (Browser::new(&server), Browser::new(&server));
    sign_in(&server, &mut first, "one").await;
    let other = sign_in(&server, &mut second, "one").await;
    leave(&mut second).await;
    let told = decoded(&logout_token(&application.wait_for(1).await[0]), 1);
    assert_eq!(told["sid"], decoded(other["id_token"].as_str().expect("an ID token"), 1)["sid"]);
    let mut path = RelyingParty::new(&server, "one").authorize_path(&[("prompt", "none")]);
    assert!(first.get(&path).await.query().contains_key("code"));
    path = RelyingParty::new(&server, "two").authorize_path(&[("prompt", "none")]);
    second.get(&path).await.expect_error_redirect("login_required");
}

#[tokio::test]
async fn signing_out_everywhere_notifies_the_clients_of_each_session() {
    let application = Application::start("").await;
    let server = server(&application, &[]).await;
    for _ in 0..2 {
        sign_in(&server, &mut Browser::new(&server), "one").await;
    }
    let origin = uitsmijter::origin::Origin { scheme: "https", authority: "login.acme.example".into() };
    let issuer = server.app.issuer(&origin).expect("a tenant");
    uitsmijter::sso::sign_out::everywhere(&issuer, "acme-ada").await.expect("an end");
    let told = application.wait_for(2).await;
    let sid = |body: &String| decoded(&logout_token(body), 1)["sid"].to_string();
    assert_ne!(sid(&told[0]), sid(&told[1]));
    uitsmijter::sso::sign_out::everywhere(&issuer, "acme-ada").await.expect("an end");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(application.received().len(), 2, "no client is notified twice");
}

#[tokio::test]
async fn another_person_in_the_same_browser_ends_the_session_before() {
    let application = Application::start("").await;
    let server = server(&application, &[]).await;
    let mut browser = Browser::new(&server);
    sign_in(&server, &mut browser, "one").await;
    let login = browser.visit("/login").await;
    browser.sign_in_as(&login, "bob", fixtures::PASSWORD).await;
    application.wait_for(1).await;
}

#[tokio::test]
async fn a_failed_notification_is_retried_and_the_person_does_not_wait() {
    let application = Application::start("").await;
    let server = server(&application, &[]).await;
    let mut browser = Browser::new(&server);
    sign_in(&server, &mut browser, "one").await;
    application.answer(503, "");
    leave(&mut browser).await;
    application.wait_for(1).await;
    application.answer(200, "");
    let told = application.wait_for(2).await;
    let claims: Vec<Value> = told.iter().map(|body| decoded(&logout_token(body), 1)).collect();
    assert_ne!(claims[0]["jti"], claims[1]["jti"]);
    assert_eq!(claims[0]["sid"], claims[1]["sid"]);
}

#[tokio::test]
async fn a_client_that_refuses_is_not_called_again_and_a_private_address_only_if_allowed() {
    let application = Application::start("").await;
    let believed = server(&application, &[]).await;
    let mut browser = Browser::new(&believed);
    sign_in(&believed, &mut browser, "one").await;
    application.answer(StatusCode::BAD_REQUEST.as_u16(), "");
    leave(&mut browser).await;
    application.wait_for(1).await;
    let careful = server(&application, &[("ALLOW_PRIVATE_ADDRESSES", "false")]).await;
    let mut browser = Browser::new(&careful);
    sign_in(&careful, &mut browser, "one").await;
    leave(&mut browser).await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(application.received().len(), 1);
}

#[tokio::test]
async fn a_logout_token_is_signed_as_the_clients_id_tokens_are() {
    let application = Application::start("").await;
    let client = |ident: &str, algorithm: &str| {
        format!(
            "name: {ident}\nconfig:\n  tenantname: acme\n  ident: {ident}\n  redirect_urls: ['{}']\n  scopes: [openid]\n  \
             id_token_signed_response_alg: {algorithm}\n  backchannel_logout_uri: {}\n",
            fixtures::CALLBACK,
            application.url("/bye")
        )
    };
    let documents = [fixtures::documents(), client("one", "RS256"), client("two", "EdDSA")].join("\n---\n");
    let server = TestServer::start_with(&documents, &[("JWT_ALGORITHM", "EdDSA")]).await;
    let mut browser = Browser::new(&server);
    let mut signed = Vec::new();
    for client_id in ["one", "two"] {
        let tokens = sign_in(&server, &mut browser, client_id).await;
        signed.push((client_id, decoded(tokens["id_token"].as_str().expect("an ID token"), 0)["alg"].clone()));
    }
    assert_eq!(signed, [("one", json!("RS256")), ("two", json!("EdDSA"))]);
    leave(&mut browser).await;
    for token in application.wait_for(2).await.iter().map(|body| logout_token(body)) {
        let client_id = decoded(&token, 1)["aud"].clone();
        let (_, expected) = signed.iter().find(|(own, _)| client_id == *own).expect("one of them");
        assert_eq!(&decoded(&token, 0)["alg"], expected, "{client_id}");
    }
}

#[tokio::test]
async fn ending_a_session_from_the_list_notifies_its_clients_too() {
    let application = Application::start("").await;
    let server = server(&application, &[]).await;
    let (mut laptop, mut phone) = (Browser::new(&server), Browser::new(&server));
    let on_laptop = sign_in(&server, &mut laptop, "one").await;
    sign_in(&server, &mut phone, "two").await;
    let sid = decoded(on_laptop["id_token"].as_str().expect("an ID token"), 1)["sid"].clone();
    let page = phone.get("/").await.expect_page(200);
    let fields = [("token", &*page.hidden("token")), ("session", sid.as_str().expect("a sid"))];
    phone.post("/", &fields).await.expect(303);
    let told = application.wait_for(1).await;
    assert_eq!(decoded(&logout_token(&told[0]), 1)["sid"], sid);
    let page = phone.get("/").await.expect_page(200);
    phone.post("/", &[("token", &page.hidden("token")), ("everywhere", "1")]).await.expect(303);
    let told = application.wait_for(2).await;
    assert_eq!(decoded(&logout_token(&told[1]), 1)["aud"], "two");
}

#[tokio::test]
async fn a_client_of_a_prolonged_session_is_still_notified() {
    let application = Application::start("").await;
    let tenant = fixtures::tenant("acme", "login.acme.example").replace(
        "hosts: [\"login.acme.example\"]",
        "hosts: [\"login.acme.example\", \"*.acme.example\"]\n  interceptor: {domain: login.acme.example, cookie: .acme.example}",
    );
    let client = format!(
        "name: one\nconfig:\n  tenantname: acme\n  ident: one\n  redirect_urls: ['{}']\n  scopes: [openid]\n  \
         backchannel_logout_uri: {}\n",
        fixtures::CALLBACK,
        application.url("/bye")
    );
    let day = [("COOKIE_EXPIRATION_IN_DAYS", "1")];
    let server = TestServer::start_with(&format!("{tenant}\n---\n{client}"), &day).await;
    let mut browser = Browser::new(&server);
    sign_in(&server, &mut browser, "one").await;
    for _ in 0..2 {
        server.clock.advance(std::time::Duration::from_secs(20 * 60 * 60));
        Proxy::new(&server).ask(&browser, "https://shop.acme.example/").await.expect(200);
    }
    leave(&mut browser).await;
    application.wait_for(1).await;
}

#[tokio::test]
async fn two_sign_outs_at_once_tell_a_client_once() {
    let application = Application::start("").await;
    let server = server(&application, &[]).await;
    let mut browser = Browser::new(&server);
    let tokens = sign_in(&server, &mut browser, "one").await;
    let path = format!("/logout?id_token_hint={}", tokens["id_token"].as_str().expect("a hint"));
    let mut windows: Vec<_> = (0..8).map(|_| Browser::new(&server)).collect();
    windows.iter_mut().for_each(|window| window.cookies = browser.cookies.clone());
    futures_util::future::join_all(windows.iter_mut().map(|window| window.get(&path))).await;
    // By the time that another client is called, a second call would have arrived.
    let mut other = Browser::new(&server);
    sign_in(&server, &mut other, "two").await;
    leave(&mut other).await;
    application.wait_for(2).await;
}

#[tokio::test]
async fn nobody_who_signs_out_waits_for_a_client_that_never_answers() {
    // It accepts connections, and never responds.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("an address");
    let client = format!(
        "name: one\nconfig:\n  tenantname: acme\n  ident: one\n  redirect_urls: ['{}']\n  scopes: [openid]\n  \
         backchannel_logout_uri: http://{address}/bye\n",
        fixtures::CALLBACK
    );
    let server = TestServer::start_with(&format!("{}\n---\n{client}", fixtures::documents()), &[]).await;
    let mut browser = Browser::new(&server);
    sign_in(&server, &mut browser, "one").await;
    leave(&mut browser).await;
    // It is being called, and the person has been gone for a while.
    silent.accept().await.expect("a call");
    assert!(browser.session().is_none());
}

#[tokio::test]
async fn a_client_is_told_by_another_replica_when_the_first_one_has_ended() {
    let application = Application::start("").await;
    let server = server(&application, &[]).await;
    let now = || server.app.services.clock.now();
    let resume = || {
        let issuer_of = |delivery: &Delivery| server.app.issuer_named(&delivery.tenant, &delivery.participant.issuer);
        sign_out::resume(&server.app.store, server.app.services.clock.now(), issuer_of)
    };
    // The delivery that a sign-out stores until its client has been told.
    let participant = Participant {
        client_id: "one".into(),
        issuer: "https://login.acme.example".into(),
        subject: "acme-ada".into(),
        sid: "of a replica that has ended".into(),
    };
    Delivery::new("acme", participant, now()).keep(&server.app.store, now()).await.expect("a store");
    resume().await.expect("a store");
    assert!(application.received().is_empty(), "somebody still has it");
    server.clock.advance(std::time::Duration::from_secs(60));
    // A replica that does not know the tenant yet leaves it to those that do, or will.
    sign_out::resume(&server.app.store, now(), |_| None).await.expect("a store");
    server.clock.advance(std::time::Duration::from_secs(60));
    futures_util::future::join_all((0..4).map(|_| resume())).await;
    let told = decoded(&logout_token(&application.wait_for(1).await[0]), 1);
    assert_eq!((&told["aud"], &told["iss"]), (&json!("one"), &json!("https://login.acme.example")));
    assert_eq!(told["sid"], "of a replica that has ended");
}

#[tokio::test]
async fn a_logout_token_is_kept_until_it_has_arrived() {
    let application = Application::start("").await;
    let server = server(&application, &[]).await;
    let mut browser = Browser::new(&server);
    sign_in(&server, &mut browser, "one").await;
    application.answer(503, "");
    leave(&mut browser).await;
    application.wait_for(1).await;
    let pending = async || Delivery::pending(&server.app.store).await.expect("a store").len();
    assert_eq!(pending().await, 1);
    application.answer(200, "");
    application.wait_for(2).await;
    for _ in 0..500 {
        if pending().await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it arrived, and is still kept");
}
