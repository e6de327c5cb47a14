//! Guessing client secrets: counted per client and address, for all replicas, and no lock that strangers can put on a client.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use uitsmijter::login::password;
use uitsmijter::random::SystemRandom;

use crate::harness::fixtures::{self, SECRET};
use crate::harness::server::form;
use crate::harness::{Answer, TestServer};

const OWN: [u8; 4] = [198, 51, 100, 7];
const STRANGER: [u8; 4] = [203, 0, 113, 9];

/// A request for a token of the client `service`, from this address.
async fn ask(server: &TestServer, address: [u8; 4], secret: &str) -> Answer {
    ask_as(server, "service", address, secret).await
}

async fn ask_as(server: &TestServer, client: &str, address: [u8; 4], secret: &str) -> Answer {
    let fields = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
    let mut request = form("/token", &fields);
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 4711))));
    server.send(request).await
}

#[tokio::test]
async fn after_five_wrong_secrets_the_delays_grow_and_nobody_elsewhere_waits() {
    let server = TestServer::start().await;
    for _ in 0..5 {
        ask(&server, STRANGER, "wrong").await.expect_error(401, "invalid_client");
    }
    for delay in [2, 4, 8] {
        let held = ask(&server, STRANGER, SECRET).await.expect_error(429, "invalid_client");
        assert_eq!(held.header("retry-after"), delay.to_string());
        ask(&server, OWN, SECRET).await.expect(200);
        server.clock.advance(Duration::from_secs(delay));
        ask(&server, STRANGER, "wrong").await.expect_error(401, "invalid_client");
    }
    ask_as(&server, "exchange-service", STRANGER, SECRET).await.expect(200);
    server.clock.advance(Duration::from_secs(16));
    ask(&server, STRANGER, SECRET).await.expect(200);
    ask(&server, STRANGER, "wrong").await.expect_error(401, "invalid_client");
    ask(&server, STRANGER, SECRET).await.expect(200);
}

#[tokio::test]
async fn every_endpoint_that_takes_a_secret_counts_it() {
    let server = TestServer::start().await;
    for path in ["/token", "/introspect", "/revoke", "/device_authorization", "/token"] {
        let fields =
            [("grant_type", "client_credentials"), ("client_id", "service"), ("client_secret", "x"), ("token", "x")];
        let mut request = form(path, &fields);
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((STRANGER, 4711))));
        server.send(request).await.expect_error(401, "invalid_client");
    }
    ask(&server, STRANGER, "wrong").await.expect_error(429, "invalid_client");
}

#[tokio::test]
async fn another_replica_goes_on_counting_where_the_first_one_was() {
    let server = TestServer::start().await;
    let replica = server.beside().await;
    for _ in 0..5 {
        ask(&server, STRANGER, "wrong").await.expect_error(401, "invalid_client");
    }
    ask(&replica, STRANGER, "wrong").await.expect_error(401, "invalid_client");
    ask(&replica, STRANGER, "wrong").await.expect_error(429, "invalid_client");
}

#[tokio::test]
async fn of_many_simultaneous_guesses_at_a_slow_hash_only_the_free_ones_are_computed() {
    let hash = password::hash(SECRET, &SystemRandom);
    let documents =
        fixtures::documents().replacen(&format!("secret: \"{SECRET}\""), &format!("secret_hash: \"{hash}\""), 2);
    let server = TestServer::start_with(&documents, &[]).await;
    let guesses: Vec<String> = (0..60).map(|number| format!("guess {number}")).collect();
    let answers = futures_util::future::join_all(guesses.iter().map(|guess| ask(&server, STRANGER, guess))).await;
    let compared = answers.iter().filter(|answer| answer.status == 401).count();
    let cores = std::thread::available_parallelism().expect("a number").get();
    assert!((5..=5 + cores).contains(&compared), "{compared} of 60");
    assert!(answers.iter().all(|answer| answer.status == 401 || answer.status == 429));
    ask(&server, OWN, SECRET).await.expect(200);
}

#[tokio::test]
async fn an_address_that_tries_many_clients_is_slowed_down_and_the_right_secret_is_not_counted() {
    let few = |settings: &mut uitsmijter::settings::Settings| settings.login_protection.free_attempts_per_address = 3;
    let server = TestServer::start_changed(&fixtures::documents(), &[], few).await;
    for _ in 0..20 {
        ask(&server, OWN, SECRET).await.expect(200);
    }
    for client in ["service", "web", "exchange-service"] {
        ask_as(&server, client, STRANGER, "wrong").await.expect_error(401, "invalid_client");
    }
    ask_as(&server, "web", STRANGER, "wrong").await.expect_error(429, "invalid_client");
    let off = TestServer::start_with(&fixtures::documents(), &[("LOGIN_PROTECTION", "false")]).await;
    for _ in 0..8 {
        ask(&off, STRANGER, "wrong").await.expect_error(401, "invalid_client");
    }
}
