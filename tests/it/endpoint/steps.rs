//! Pending steps: what strangers begin is not stored, or within a bound, and what a person proved counts once.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;

use crate::harness::fixtures::{self, PASSWORD};
use crate::harness::redis::RedisServer;
use crate::harness::relying_party::challenge;
use crate::harness::response::decoded;
use crate::harness::server::form;
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

/// The redirect to the page of a step, from this address and without cookies.
async fn begin(server: &TestServer, address: [u8; 4], path: &str) -> Answer {
    let mut request = Request::get(path).body(Body::empty()).expect("a request");
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 4711))));
    server.send(request).await
}

fn long() -> String {
    "n".repeat(15_000)
}

fn address(number: u32) -> [u8; 4] {
    (0x0a00_0000 + number).to_be_bytes()
}

#[tokio::test]
async fn nothing_that_somebody_without_an_account_begins_is_stored() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let challenge = challenge();
    let by_form = [
        ("client_id", "spa"),
        ("redirect_uri", fixtures::CALLBACK),
        ("response_type", "code"),
        ("login_hint", &"x".repeat(2000)),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let mut browser = Browser::new(&server);
    for path in [
        &spa.authorize_path(&[]),
        &spa.authorize_path(&[("prompt", "login"), ("nonce", &"n".repeat(1500))]),
        "/login",
        "/login?for=https%3A%2F%2Flogin.acme.example%2Fx",
        "/activate",
        "/activate?user_code=BCDF-GHJK",
        "/login?interaction=made.up",
    ] {
        let page = browser.visit(path).await;
        assert!(page.body.contains("id=\"loginButton\""), "{page:#?}");
    }
    let sent = browser.post("/authorize", &by_form).await;
    browser.follow(sent).await.expect_page(200);
    assert_eq!(store.writes(), 0);
}

#[tokio::test]
async fn a_sign_in_costs_two_writes_and_a_step_leaves_nothing_behind() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    for (extra, left) in [(&[][..], 2), (&[("prompt", "login")], 2)] {
        let (writes, rows) = (store.writes(), store.rows());
        spa.obtain_code_in(&mut Browser::new(&server), extra).await;
        // The session, and then the code.
        assert_eq!((store.writes() - writes, store.rows() - rows), (2, left), "{extra:?}");
    }
}

#[tokio::test]
async fn whoever_comes_back_to_a_finished_step_gets_another_code_while_they_are_signed_in() {
    for extra in [&[][..], &[("nonce", long().as_str())]] {
        let server = TestServer::start().await;
        let spa = RelyingParty::new(&server, "spa");
        let mut browser = Browser::new(&server);
        let page = browser.visit(&spa.authorize_path(extra)).await;
        let step = format!("/authorize?interaction={}", page.hidden("interaction"));
        let first = spa.code_of(&browser.sign_in(&page).await);
        let second = spa.code_of(&browser.get(&step).await);
        assert_ne!(first, second);
        spa.redeem(&second).await.expect(200);
        spa.redeem(&first).await.expect(200);
        // Once the session is over, the request is kept, and the person signs in for it.
        let question = browser.get("/logout").await.expect_page(200).hidden("interaction");
        browser.post("/logout", &[("interaction", &question)]).await.expect_page(200);
        let page = browser.visit(&step).await.expect_page(200);
        spa.code_of(&browser.sign_in(&page).await);
    }
}

#[tokio::test]
async fn what_a_person_proved_for_a_step_counts_for_one_code() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for demand in [("prompt", "login"), ("prompt", "select_account"), ("max_age", "0")] {
        let mut browser = Browser::new(&server);
        let page = browser.visit(&spa.authorize_path(&[demand])).await;
        let step = format!("/authorize?interaction={}", page.hidden("interaction"));
        spa.code_of(&browser.sign_in(&page).await);
        let again = browser.visit(&step).await.expect_page(200);
        assert!(again.body.contains("id=\"loginButton\""), "{demand:?}: {again:#?}");
        server.clock.advance(Duration::from_secs(5));
        let tokens = spa.redeem(&spa.code_of(&browser.sign_in(&again).await)).await.expect(200);
        let claims = decoded(&tokens.member("id_token"), 1);
        assert_eq!(claims["auth_time"], claims["iat"], "{demand:?}: signed in just now");
    }
    let shop = RelyingParty::new(&server, "shop");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&shop.authorize_path(&[("scope", "openid"), ("prompt", "consent")])).await;
    let question = browser.sign_in(&page).await.expect_page(200);
    let step = question.hidden("interaction");
    let allowed = browser.post("/consent", &[("interaction", &*step), ("decision", "allow")]).await;
    shop.code_of(&browser.follow(allowed).await);
    let again = browser.visit(&format!("/authorize?interaction={step}")).await.expect_page(200);
    assert!(again.body.contains("value=\"allow\""), "{again:#?}");
}

#[tokio::test]
async fn of_two_finishes_at_once_one_has_the_proofs() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let step = browser.visit(&spa.authorize_path(&[("prompt", "login")])).await.hidden("interaction");
    let fields = [("username", "ada"), ("password", PASSWORD), ("interaction", &*step)];
    browser.post("/login", &fields).await.expect(303);
    let path = format!("/authorize?interaction={step}");
    let mut other = Browser::new(&server);
    other.cookies = browser.cookies.clone();
    store.hold_the_next("code");
    let overtaking = async {
        store.wanted().await;
        let answer = other.get(&path).await;
        store.go_on();
        answer
    };
    let (late, early) = tokio::join!(browser.get(&path), overtaking);
    spa.code_of(&early);
    let page = browser.follow(late).await.expect_page(200);
    assert!(page.body.contains("id=\"loginButton\""), "{page:#?}");
}

#[tokio::test]
async fn a_proof_of_one_session_is_nothing_in_another() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let step = browser.visit(&spa.authorize_path(&[("prompt", "login")])).await.hidden("interaction");
    let fields = |name| [("username", name), ("password", PASSWORD), ("interaction", &*step)];
    browser.post("/login", &fields("ada")).await.expect(303);
    let mut bob = Browser::new(&server);
    let page = bob.visit("/login").await;
    bob.sign_in_as(&page, "bob", PASSWORD).await;
    browser.cookies.insert("uitsmijter-sso".into(), bob.session().expect("a session").clone());
    browser.cookies.insert("__Host-uitsmijter-sso".into(), bob.session().expect("a session").clone());
    let page = browser.visit(&format!("/authorize?interaction={step}")).await.expect_page(200);
    assert!(page.body.contains("id=\"loginButton\""), "{page:#?}");
}

#[tokio::test]
async fn a_step_is_for_one_browser_one_hour_and_unchanged() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for extra in [&[][..], &[("nonce", long().as_str())]] {
        let mut browser = Browser::new(&server);
        let step = browser.visit(&spa.authorize_path(extra)).await.hidden("interaction");
        let mut stranger = Browser::new(&server);
        spa.obtain_code_in(&mut stranger, &[]).await;
        for path in ["/authorize", "/login", "/consent"] {
            stranger.get(&format!("{path}?interaction={step}")).await.expect_page(400);
        }
        let last = if step.ends_with('A') { 'B' } else { 'A' };
        let (name, sealed) = step.split_once('.').expect("what sealed it, and what it sealed");
        for other in [
            format!("{}{last}", &step[..step.len() - 1]),
            format!("{name}.A{}", &sealed[1..]),
            format!("AAAAAAAA.{sealed}"),
            format!("{name}."),
            format!("long.{}", sealed.chars().rev().collect::<String>()),
            format!("{step}.x"),
            ".".into(),
        ] {
            browser.get(&format!("/login?interaction={other}")).await.expect_page(400);
        }
        server.clock.advance(Duration::from_secs(60 * 60 - 1));
        browser.get(&format!("/login?interaction={step}")).await.expect_page(200);
        server.clock.advance(Duration::from_secs(1));
        browser.get(&format!("/login?interaction={step}")).await.expect_page(400);
    }
}

#[tokio::test]
async fn a_redirect_to_a_step_fits_into_what_proxies_read() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for length in [10, 500, 1000, 1500, 2000, 2500, 3000, 15_000] {
        let answer = server.get(&spa.authorize_path(&[("nonce", &"n".repeat(length))])).await.expect(303);
        let headers = answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
        assert!(headers < 4000, "{length}: {headers}");
    }
    let plain = server.get(&spa.authorize_path(&[])).await.query()["interaction"].len();
    assert!(plain < 800, "{plain}");
}

#[tokio::test]
async fn long_requests_of_one_address_fill_its_own_places_and_no_others() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let path = spa.authorize_path(&[("nonce", &long())]);
    let mut person = Browser::new(&server);
    let page = person.visit(&path).await.expect_page(200);
    for _ in 0..300 {
        begin(&server, address(1), &path).await.expect(303);
    }
    // A step and its place, for each of sixteen, and for the person.
    assert!(store.rows() <= 2 * 17, "{}", store.rows());
    spa.code_of(&person.sign_in(&page).await);
}

#[tokio::test]
async fn long_requests_of_everybody_have_a_bound_and_who_signs_in_goes_on() {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let path = spa.authorize_path(&[("nonce", &long())]);
    let mut person = Browser::new(&server);
    let page = person.visit(&path).await.expect_page(200);
    let mut refused = 0;
    for number in 0..600 {
        let answer = begin(&server, address(number), &path).await.expect(303);
        if answer.query().get("error").is_some_and(|error| error == "temporarily_unavailable") {
            refused += 1;
        }
    }
    assert!(refused > 300, "what others have just begun is safe: {refused}");
    assert!(store.rows() <= 2 * 256, "{}", store.rows());
    spa.code_of(&person.sign_in(&page).await);
    // An ordinary request is not affected at all.
    spa.obtain_code(&[]).await;
    server.clock.advance(Duration::from_secs(600));
    spa.obtain_code(&[("nonce", &long())]).await;
}

#[tokio::test]
async fn a_request_that_would_not_fit_into_a_place_is_refused() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let answer = server.get(&spa.authorize_path(&[("nonce", &"\"".repeat(15_000))])).await;
    answer.expect_error_redirect("invalid_request");
}

#[tokio::test]
async fn while_a_replica_of_the_version_before_lives_steps_are_stored_as_it_knows_them() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut before = Browser::new(&server);
    let sealed = before.visit(&spa.authorize_path(&[("prompt", "login")])).await.expect_page(200);
    server.meet_an_older_replica().await;
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[("prompt", "login")])).await.expect_page(200);
    let step = page.hidden("interaction");
    let stored = server.app.store.within("acme").get::<uitsmijter::session::interaction::Interaction>(&step).await;
    assert_eq!(Some(&stored.expect("the store").expect("a row").browser), browser.cookies.values().next());
    let mut shopper = Browser::new(&server);
    let shop = RelyingParty::new(&server, "shop");
    let login = shopper.visit(&shop.authorize_path(&[("scope", "openid")])).await;
    let question = shopper.sign_in(&login).await.expect_page(200);
    // Pages that were open before the last old replica went are as good afterwards, and the other way round.
    spa.code_of(&before.sign_in(&sealed).await);
    server.lose_the_older_replica().await;
    let answer = browser.sign_in(&page).await;
    spa.code_of(&answer);
    browser.get(&format!("/authorize?interaction={step}")).await.expect_page(400);
    let allowed = [("interaction", &*question.hidden("interaction")), ("decision", "allow")];
    let sent = shopper.post("/consent", &allowed).await;
    shop.code_of(&shopper.follow(sent).await);
}

#[tokio::test]
async fn a_form_that_is_sent_twice_signs_in_twice_and_harms_nothing() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[("prompt", "login")])).await;
    let fields = [("username", "ada"), ("password", PASSWORD), ("interaction", &page.hidden("interaction"))];
    let mut request: Request<Body> = form("/login", &fields);
    let cookies: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    request.headers_mut().insert("cookie", cookies.join("; ").parse().expect("a header"));
    server.send(request).await.expect(303);
    spa.code_of(&browser.sign_in(&page).await);
}

#[tokio::test]
async fn a_flood_leaves_room_for_others_in_a_small_redis_that_may_not_evict() {
    let redis = RedisServer::start_with(&["--maxmemory", "16mb", "--maxmemory-policy", "noeviction"]).await;
    let port = redis.port.to_string();
    let environment = [("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", &*port)];
    let server = TestServer::start_with(&fixtures::documents(), &environment).await;
    let spa = RelyingParty::new(&server, "spa");
    let tokens = spa.redeem(&spa.obtain_code(&[]).await).await.expect(200);
    let path = spa.authorize_path(&[("nonce", &long())]);
    for number in 0..1100 {
        begin(&server, address(number), &path).await.expect(303);
    }
    let tokens = spa.refresh(&tokens.member("refresh_token")).await.expect(200);
    spa.refresh(&tokens.member("refresh_token")).await.expect(200);
    spa.obtain_code(&[]).await;
    let rows: usize = redis.cli(&["dbsize"]).parse().expect("a number");
    assert!(rows < 2 * 256 + 100, "{rows}");
}
