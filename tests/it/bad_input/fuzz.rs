//! Every generated request is answered.

use axum::http::header;
use proptest::test_runner::{Config, TestRng, TestRunner};
use uitsmijter::random::{Random, SystemRandom};

use super::answer::check;
use super::grammar::wild;
use crate::harness::{Browser, RelyingParty, TestServer};

/// The cookies of a browser with a session.
async fn jar(server: &TestServer) -> String {
    let mut browser = Browser::new(server);
    RelyingParty::new(server, "spa").obtain_code_in(&mut browser, &[]).await;
    let pairs: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ")
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// `FULL=1` sends a hundred thousand requests, `FUZZ_CASES` says how many; `FUZZ_SEED` repeats a run that failed.
#[test]
fn every_request_gets_an_answer() {
    let full = number("FULL") == Some(1);
    let cases = number("FUZZ_CASES").unwrap_or(if full { 100_000 } else { 2_000 });
    let seed = std::env::var("FUZZ_SEED").unwrap_or_else(|_| SystemRandom.identifier());
    println!("FUZZ_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = runtime.block_on(TestServer::start());
    let config = Config {
        cases: u32::try_from(cases).expect("fewer"),
        failure_persistence: None,
        max_shrink_iters: 2000,
        max_global_rejects: u32::MAX,
        ..Config::default()
    };
    let bytes = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, seed.as_bytes());
    let rng = TestRng::from_seed(config.rng_algorithm, bytes.as_ref());
    let statuses = std::cell::RefCell::new(std::collections::BTreeMap::<u16, u64>::new());
    let cookies = std::cell::RefCell::new(runtime.block_on(jar(&server)));
    let outcome = TestRunner::new_with_rng(config, rng).run(&wild(), |wild| {
        let Some(mut request) = wild.request() else { return Ok(()) };
        if wild.signed_in {
            request.headers_mut().append(header::COOKIE, cookies.borrow().parse().expect("cookies"));
        }
        let answer = runtime.block_on(server.send(request));
        *statuses.borrow_mut().entry(answer.status.as_u16()).or_default() += 1;
        check(&answer, wild.is_for_people(), "");
        if answer.header_values("set-cookie").iter().any(|cookie| cookie.contains("Max-Age=0")) {
            // Signed out, or another person.
            *cookies.borrow_mut() = runtime.block_on(jar(&server));
        }
        Ok(())
    });
    println!("{:?}", statuses.borrow());
    if let Err(error) = outcome {
        panic!("FUZZ_SEED={seed}: {error}");
    }
    let statuses = statuses.into_inner();
    assert!(statuses.get(&200).is_some_and(|times| *times > cases / 100), "some get through: {statuses:?}");
}
