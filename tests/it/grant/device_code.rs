//! The device grant: RFC 8628 §3.

use std::time::Duration;

use uitsmijter::session::Session;

use crate::harness::fixtures;
use crate::harness::server::{GLOBEX, form};
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

const URN: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A device that shows its code.
struct Device<'s> {
    client: RelyingParty<'s>,
    device_code: String,
    user_code: String,
}

impl<'s> Device<'s> {
    async fn start(server: &'s TestServer) -> Self {
        let client = RelyingParty::new(server, "tv");
        let answer = client.post("/oauth/device_authorization", &[("scope", "openid profile jobs")]).await.expect(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        Self { client, device_code: answer.member("device_code"), user_code: answer.member("user_code") }
    }

    async fn poll(&self) -> Answer {
        self.client.token(&[("grant_type", URN), ("device_code", &self.device_code)]).await
    }

    async fn decide(&self, browser: &mut Browser<'_>, decision: &str) {
        let mut page = browser.visit(&format!("/activate?user_code={}", self.user_code)).await;
        if page.body.contains("id=\"loginButton\"") {
            page = browser.sign_in(&page).await;
        }
        let interaction = page.expect_page(200).hidden("interaction");
        let fields = [("interaction", &*interaction), ("user_code", &self.user_code), ("decision", decision)];
        browser.post("/activate", &fields).await.expect_page(200);
    }
}

#[tokio::test]
async fn a_device_gets_its_tokens_once_the_person_allows_it() {
    let server = TestServer::start().await;
    let device = Device::start(&server).await;
    device.poll().await.expect_error(400, "authorization_pending");
    device.decide(&mut Browser::new(&server), "allow").await;
    server.clock.advance(Duration::from_secs(5));
    let answer = device.poll().await.expect(200);
    assert_eq!(answer.json()["scope"], "openid profile");
    assert!(answer.json()["id_token"].is_string());
    assert_eq!(answer.access_claims()["sub"], "acme-ada");
    server.get_with_token("/userinfo", &answer.member("access_token")).await.expect(200);
    device.client.refresh(&answer.member("refresh_token")).await.expect(200);
    server.clock.advance(Duration::from_secs(5));
    device.poll().await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_device_gets_nothing_of_a_person_who_signs_out_while_they_allow_it() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let device = Device::start(&server).await;
    let mut browser = Browser::new(&server);
    let page = browser.visit(&format!("/activate?user_code={}", device.user_code)).await;
    let interaction = browser.sign_in(&page).await.expect_page(200).hidden("interaction");
    store.hold_the_next("device");
    let sign_out = async {
        store.wanted().await;
        Session::end_everywhere(&server.app.store.within("acme"), "acme-ada").await.unwrap();
        store.go_on();
    };
    let fields = [("interaction", &*interaction), ("user_code", &device.user_code), ("decision", "allow")];
    let (answer, ()) = tokio::join!(browser.post("/activate", &fields), sign_out);
    assert!(!answer.status.is_server_error(), "{answer:#?}");
    device.poll().await.expect_error(400, "authorization_pending");
}

#[tokio::test]
async fn the_short_name_of_the_grant_is_understood_too() {
    let server = TestServer::start().await;
    let device = Device::start(&server).await;
    let fields = [("grant_type", "device_code"), ("device_code", device.device_code.as_str())];
    device.client.token(&fields).await.expect_error(400, "authorization_pending");
    device.client.token(&[("grant_type", URN)]).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn a_device_that_asks_too_often_must_wait_five_seconds_more_each_time() {
    let server = TestServer::start().await;
    let device = Device::start(&server).await;
    device.poll().await.expect_error(400, "authorization_pending");
    device.poll().await.expect_error(400, "slow_down");
    server.clock.advance(Duration::from_secs(9));
    device.poll().await.expect_error(400, "slow_down");
    server.clock.advance(Duration::from_secs(14));
    device.poll().await.expect_error(400, "slow_down");
    server.clock.advance(Duration::from_secs(20));
    device.poll().await.expect_error(400, "authorization_pending");
}

#[tokio::test]
async fn a_device_hears_that_the_person_said_no() {
    let server = TestServer::start().await;
    let device = Device::start(&server).await;
    device.decide(&mut Browser::new(&server), "deny").await;
    device.poll().await.expect_error(400, "access_denied");
}

#[tokio::test]
async fn a_code_ends_after_half_an_hour_whatever_was_decided() {
    let server = TestServer::start().await;
    let (waiting, allowed) = (Device::start(&server).await, Device::start(&server).await);
    allowed.decide(&mut Browser::new(&server), "allow").await;
    server.clock.advance(Duration::from_secs(1800));
    waiting.poll().await.expect_error(400, "expired_token");
    allowed.poll().await.expect_error(400, "expired_token");
}

#[tokio::test]
async fn a_device_code_belongs_to_its_client_and_its_tenant() {
    let server = TestServer::start().await;
    let device = Device::start(&server).await;
    device.decide(&mut Browser::new(&server), "allow").await;
    let fields = [("grant_type", URN), ("device_code", device.device_code.as_str())];
    RelyingParty::new(&server, "box").token(&fields).await.expect_error(400, "invalid_grant");
    RelyingParty::new(&server, "spa").token(&fields).await.expect_error(400, "unauthorized_client");
    let mut at_globex =
        crate::harness::server::form("/token", &[fields.as_slice(), &[("client_id", "globex-tv")]].concat());
    at_globex.headers_mut().insert("host", GLOBEX.parse().expect("a host"));
    server.send(at_globex).await.expect_error(400, "invalid_grant");
    device.poll().await.expect(200);
}

#[tokio::test]
async fn of_many_simultaneous_polls_one_gets_tokens() {
    let server = TestServer::start().await;
    let device = Device::start(&server).await;
    device.decide(&mut Browser::new(&server), "allow").await;
    let answers = futures_util::future::join_all((0..20).map(|_| device.poll())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 400));
}

#[tokio::test]
async fn an_allowed_device_outlives_the_browsers_session_and_not_the_person() {
    let server = TestServer::start().await;
    let device = Device::start(&server).await;
    let mut browser = Browser::new(&server);
    device.decide(&mut browser, "allow").await;
    let refresh_token = device.poll().await.expect(200).member("refresh_token");
    let question = browser.get("/logout").await.expect_page(200);
    browser.post("/logout", &[("interaction", &question.hidden("interaction"))]).await.expect_page(200);
    let again = device.client.refresh(&refresh_token).await.expect(200).member("refresh_token");
    let store = server.app.store.within("acme");
    uitsmijter::session::record::Session::end_everywhere(&store, "acme-ada").await.expect("an end");
    device.client.refresh(&again).await.expect_error(400, "invalid_grant");
}

/// A request of a device at this address.
async fn begin(server: &TestServer, address: u32) -> Answer {
    let mut request = form("/device_authorization", &[("client_id", "tv"), ("scope", "openid")]);
    let address = std::net::SocketAddr::from((address.to_be_bytes(), 4711));
    request.extensions_mut().insert(axum::extract::ConnectInfo(address));
    server.send(request).await
}

#[tokio::test]
async fn a_flood_from_one_address_drives_out_its_own_and_no_other_device() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let mine = begin(&server, 1).await.expect(200);
    let rows = store.rows();
    for _ in 0..300 {
        begin(&server, 2).await.expect(200);
    }
    // The two records of a device and its place, for each of the places of an address.
    assert!(store.rows() <= rows + 3 * 32, "{}", store.rows());
    let tv = RelyingParty::new(&server, "tv");
    let poll = [("grant_type", "device_code"), ("device_code", &*mine.member("device_code"))];
    tv.token(&poll).await.expect_error(400, "authorization_pending");
}

#[tokio::test]
async fn a_code_that_a_person_looks_at_is_not_driven_out() {
    let server = TestServer::start().await;
    let mine = begin(&server, 2).await.expect(200);
    let (user_code, device_code) = (mine.member("user_code"), mine.member("device_code"));
    let mut browser = Browser::new(&server);
    let page = browser.visit(&format!("/activate?user_code={user_code}")).await;
    let question = browser.sign_in(&page).await.expect_page(200);
    for _ in 0..300 {
        begin(&server, 2).await.expect(200);
    }
    let allow = [("interaction", &*question.hidden("interaction")), ("user_code", &user_code), ("decision", "allow")];
    browser.post("/activate", &allow).await.expect_page(200);
    let poll = [("grant_type", "device_code"), ("device_code", device_code.as_str())];
    RelyingParty::new(&server, "tv").token(&poll).await.expect(200);
}

#[tokio::test]
async fn devices_of_everybody_have_a_bound_and_the_old_make_room() {
    // With so many tenants, each has the fewest places.
    let tenants = (0..200).map(|number| format!("\n---\nname: t{number}\nconfig:\n  hosts: [t{number}.example]"));
    let documents = format!("{}{}", fixtures::documents(), tenants.collect::<String>());
    let (server, store) = TestServer::start_watched(&documents).await;
    let mut refused = 0;
    for address in 0..300 {
        let answer = begin(&server, address).await;
        if answer.status == 503 {
            assert!(!answer.header("retry-after").is_empty());
            answer.expect_error(503, "temporarily_unavailable");
            refused += 1;
        }
    }
    assert!(refused > 200, "{refused}");
    assert!(store.rows() <= 3 * 64, "{}", store.rows());
    server.clock.advance(Duration::from_secs(600));
    begin(&server, 77_777).await.expect(200);
}

#[tokio::test]
async fn a_device_cannot_have_long_texts_stored() {
    let documents = fixtures::documents().replacen("ident: tv\n", "ident: tv\n  resources: ['*']\n", 1);
    let server = TestServer::start_with(&documents, &[]).await;
    let long = format!("https://{}.example/", "x".repeat(15_000));
    let tv = RelyingParty::new(&server, "tv");
    tv.post("/device_authorization", &[("resource", &long)]).await.expect_error(400, "invalid_request");
}
