//! Password guessing: growing delays, shared by all replicas, and never a lock that strangers can put on an account.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use uitsmijter::clock::Clock;
use uitsmijter::login::Ledger;
use uitsmijter::login::throttle::{self, Admission, Attempt};
use uitsmijter::store::Store;
use uitsmijter::store::memory::Memory;

use crate::harness::fakes::ManualClock;
use crate::harness::fixtures::{self, PASSWORD};
use crate::harness::server::form;
use crate::harness::{Answer, Browser, TestServer};

/// A stranger's attempt with a fresh browser, from this address.
async fn guess(server: &TestServer, address: [u8; 4], username: &str, password: &str) -> Answer {
    let mut browser = Browser::new(server);
    let page = browser.visit("/login").await.expect_page(200);
    let fields = [("username", username), ("password", password), ("interaction", &page.hidden("interaction"))];
    let cookies: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut request: Request<Body> = form("/login", &fields);
    request.headers_mut().insert("cookie", cookies.join("; ").parse().expect("a header"));
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 4711))));
    server.send(request).await
}

/// A new address.
fn elsewhere(number: u8) -> [u8; 4] {
    [203, 0, 113, number]
}

#[tokio::test]
async fn after_five_attempts_the_delays_grow_and_the_right_password_ends_them() {
    let server = TestServer::start().await;
    for number in 0..5 {
        guess(&server, elsewhere(number), "ada", "wrong").await.expect_page(403);
    }
    for (delay, number) in [(2, 10), (4, 11), (8, 12), (16, 13)] {
        let held = guess(&server, elsewhere(number), "ada", PASSWORD).await.expect_page(429);
        assert!(held.body.contains("data-error=\"too_many_attempts\""), "{held:#?}");
        assert_eq!(held.header("retry-after"), delay.to_string());
        server.clock.advance(Duration::from_secs(delay));
        guess(&server, elsewhere(number), "ada", "wrong").await.expect_page(403);
    }
    // Another person is not affected.
    guess(&server, elsewhere(20), "bob", PASSWORD).await.expect(303);
    server.clock.advance(Duration::from_secs(32));
    guess(&server, elsewhere(21), "ada", PASSWORD).await.expect(303);
    guess(&server, elsewhere(22), "ada", "wrong").await.expect_page(403);
    guess(&server, elsewhere(23), "ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn an_unknown_name_is_treated_alike() {
    let server = TestServer::start().await;
    for number in 0..5 {
        guess(&server, elsewhere(number), "nobody", "wrong").await.expect_page(403);
    }
    guess(&server, elsewhere(6), " NOBODY ", "wrong").await.expect_page(429);
}

#[tokio::test]
async fn spellings_that_a_backend_takes_for_one_name_share_its_count() {
    let server = TestServer::start().await;
    let spellings = ["a da", "A  DA", "\u{ff41} \u{ff44}a", "a\u{a0}d\u{200b}a", "\u{feff}a\u{3000}d\u{ad}a "];
    for (number, spelling) in (0..).zip(spellings) {
        guess(&server, elsewhere(number), spelling, "wrong").await.expect_page(403);
    }
    guess(&server, elsewhere(9), "a\u{2003}da", "wrong").await.expect_page(429);
}

#[tokio::test]
async fn a_site_of_ipv6_is_held_to_account_as_a_whole() {
    let few = |settings: &mut uitsmijter::settings::Settings| settings.login_protection.free_attempts_per_address = 3;
    let server = TestServer::start_changed(&fixtures::documents(), &[], few).await;
    let mut held = 0;
    for network in 0..8_u16 {
        let name = format!("name{network}");
        let fields = [("grant_type", "password"), ("client_id", "legacy"), ("username", &*name), ("password", "wrong")];
        let mut request: Request<Body> = form("/token", &fields);
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0x77, network, 1, 2, 3, 4);
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 4711))));
        held += usize::from(!server.send(request).await.header("retry-after").is_empty());
    }
    assert_eq!(held, 2, "twice as many as one address may");
}

#[tokio::test]
async fn what_invented_names_leave_in_the_store_has_a_bound_and_none_of_it_helps_a_guesser() {
    let (policy, clock) = (fixtures::settings(&[]).login_protection, ManualClock::default());
    let memory = Arc::new(Memory::new(Arc::new(clock.clone())));
    let store = Store::new(memory.clone(), Arc::new(clock.clone()));
    let attempt = async |name: &str| {
        let ledger = Ledger { store: &store, tenants: 1000, now: clock.now() };
        let attempt = Attempt { username: name, address: None, browser: None };
        match throttle::admit(ledger, policy, attempt).await.expect("a store") {
            Admission::Granted(ticket) => ticket.failed(ledger).await.map(|()| true).expect("a store"),
            Admission::Wait(_) => false,
        }
    };
    for _ in 0..5 {
        assert!(attempt("ada").await);
    }
    for number in 0..2000 {
        assert!(attempt(&format!("invented {number}")).await);
    }
    // Sixteen pages with eight counts each, and the pages themselves.
    let rows = memory.fleeting();
    assert!(rows <= 16 * 8 + 16, "{rows} rows");
    assert!(!attempt("ada").await, "the name that somebody guesses at is not forgotten");
}

#[tokio::test]
async fn a_login_that_uses_all_its_time_counts_as_an_attempt() {
    // It waits and does not compute: what computes for too long is also not begun again at once.
    let endless = "class UserLoginProvider { constructor(credentials) { setTimeout(() => commit(false), 60000) } }";
    let documents = format!(
        "name: acme\nconfig:\n  hosts: [login.acme.example]\n  providers:\n    - \"{endless}\"\n---\n{}",
        fixtures::clients("acme", "")
    );
    let server = TestServer::start_with(&documents, &[("SCRIPT_TIMEOUT", "1")]).await;
    for number in 0..5 {
        guess(&server, elsewhere(number), "ada", "wrong").await.expect_page(503);
    }
    guess(&server, elsewhere(9), "ada", "wrong").await.expect_page(429);
}

#[tokio::test]
async fn of_many_simultaneous_guesses_only_the_free_ones_are_checked() {
    let server = TestServer::start().await;
    let guesses = (0..30).map(|number| guess(&server, elsewhere(number), "ada", "wrong"));
    let answers = futures_util::future::join_all(guesses).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 403).count();
    assert!((1..=5).contains(&looked_at), "{looked_at}");
    assert!(answers.iter().all(|answer| answer.status == 403 || answer.status == 429));
}

#[tokio::test]
async fn strangers_everywhere_cannot_lock_a_person_out_where_they_signed_in_before() {
    let server = TestServer::start().await;
    let home = [198, 51, 100, 7];
    guess(&server, home, "ada", PASSWORD).await.expect(303);
    for number in 0..100 {
        guess(&server, elsewhere(number), "ada", "wrong").await;
        server.clock.advance(Duration::from_secs(1));
    }
    guess(&server, elsewhere(200), "ada", PASSWORD).await.expect_page(429);
    guess(&server, home, "ada", PASSWORD).await.expect(303);
    // At a new place the longest delay is enough once the strangers stop.
    server.clock.advance(Duration::from_secs(300));
    guess(&server, elsewhere(201), "ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn one_address_that_tries_many_names_is_slowed_down_and_forgiven() {
    let server = TestServer::start_with(&fixtures::documents(), &[]).await;
    let address = elsewhere(1);
    for number in 0..50 {
        guess(&server, address, &format!("name{number}"), "wrong").await.expect_page(403);
    }
    let held = guess(&server, address, "name50", "wrong").await.expect_page(429);
    assert_eq!(held.header("retry-after"), "2");
    guess(&server, elsewhere(2), "name50", "wrong").await.expect_page(403);
    server.clock.advance(Duration::from_secs(600));
    for number in 0..10 {
        guess(&server, address, &format!("other{number}"), "wrong").await.expect_page(403);
    }
}

#[tokio::test]
async fn many_simultaneous_guesses_from_one_address_slow_down_the_next() {
    let server = TestServer::start().await;
    let names: Vec<String> = (0..150).map(|number| format!("name{number}")).collect();
    let guesses = names.iter().map(|name| guess(&server, elsewhere(1), name, "wrong"));
    let answers = futures_util::future::join_all(guesses).await;
    assert!(answers.iter().all(|answer| answer.status == 403 || answer.status == 429));
    guess(&server, elsewhere(1), "one more", "wrong").await.expect_page(429);
    guess(&server, elsewhere(2), "one more", "wrong").await.expect_page(403);
}

#[tokio::test]
async fn an_office_that_signs_in_is_not_slowed_down_by_its_own_people() {
    let server = TestServer::start().await;
    for _ in 0..60 {
        guess(&server, elsewhere(1), "bob", PASSWORD).await.expect(303);
    }
}

#[tokio::test]
async fn a_program_with_an_old_password_keeps_nobody_else_out_who_shares_its_address() {
    let server = TestServer::start().await;
    let office = elsewhere(1);
    for _ in 0..200 {
        guess(&server, office, "bob", "of last year").await;
        server.clock.advance(Duration::from_secs(10));
    }
    guess(&server, office, "ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn slips_are_forgiven_although_others_go_on_signing_in_from_the_same_address() {
    let server = TestServer::start().await;
    let office = elsewhere(1);
    for number in 0..49 {
        guess(&server, office, &format!("name{number}"), "a slip").await.expect_page(403);
    }
    for _ in 0..40 {
        guess(&server, office, "ada", PASSWORD).await.expect(303);
        server.clock.advance(Duration::from_secs(30));
    }
    for number in 0..10 {
        guess(&server, office, &format!("other{number}"), "a slip").await.expect_page(403);
    }
}

#[tokio::test]
async fn a_stranger_who_goes_on_guessing_keeps_nobody_from_signing_in_at_a_new_place() {
    let server = TestServer::start().await;
    for _ in 0..200 {
        guess(&server, elsewhere(1), "ada", "wrong").await;
        server.clock.advance(Duration::from_secs(60));
    }
    guess(&server, elsewhere(2), "ada", "a slip of the hand").await.expect_page(403);
    guess(&server, elsewhere(2), "ada", PASSWORD).await.expect_page(429);
    guess(&server, elsewhere(3), "ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn the_password_grant_is_slowed_down_by_the_same_counts() {
    let server = TestServer::start().await;
    let fields =
        |password| [("grant_type", "password"), ("client_id", "legacy"), ("username", "ada"), ("password", password)];
    for number in 0..5 {
        guess(&server, elsewhere(number), "ada", "wrong").await.expect_page(403);
    }
    let held = server.post("/token", &fields(PASSWORD)).await.expect_error(400, "invalid_grant");
    assert_eq!(held.header("retry-after"), "2");
    server.clock.advance(Duration::from_secs(2));
    server.post("/token", &fields(PASSWORD)).await.expect(200);
}

#[tokio::test]
async fn an_operator_may_turn_it_off() {
    let server = TestServer::start_with(&fixtures::documents(), &[("LOGIN_PROTECTION", "false")]).await;
    for number in 0..20 {
        guess(&server, elsewhere(number), "ada", "wrong").await.expect_page(403);
    }
}
