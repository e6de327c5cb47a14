//! No client notices a change of signing keys: neither a rotation nor the way from HS256 to RS256 and back.
//!
//! Time is set forward for all (`calendar.rs`), so that the server's schedule and the caches of the libraries go
//! through everything as they would in a day, without shortened policies.

use std::time::Duration;

use crate::installation::Installation;

const MINUTE: Duration = Duration::from_secs(60);
/// The usual step: longer than the caches of some clients, shorter than those of others.
const STEP: Duration = Duration::from_secs(11 * 60);

#[tokio::test]
async fn no_client_notices_that_a_signing_key_is_replaced() {
    let mut all = Installation::start(&["signing: { rotate_every: 5h, announce: 2h, grace: 3h }"], None).await;
    let old = all.published[0].clone();
    while all.published.len() == 1 {
        all.pass(STEP).await;
    }
    all.tally.report("before the new key is announced");

    let announced = all.calendar.timestamp();
    while all.newest["kid"] == old.as_str() {
        // In ever shorter steps towards the moment of change.
        let left = all.next_rotation().await.saturating_sub(all.calendar.timestamp());
        all.pass(Duration::from_secs(left / 2).clamp(MINUTE / 4, STEP)).await;
    }
    let switched = all.calendar.timestamp();
    assert!(switched - announced > 60 * 60, "the key signs before every cache must have seen it");
    all.tally.report("announced");

    all.renew_in_the_browser().await;
    for _ in 0..5 {
        all.pass(MINUTE).await;
    }
    while all.living_of(&old) > 0 {
        assert!(all.published.contains(&old), "tokens outlive the publication of their key");
        all.pass(STEP).await;
    }
    all.tally.report("in use, while tokens of the old key live");

    assert!(all.published.contains(&old), "the grace is not kept");
    while all.published.contains(&old) {
        all.pass(STEP).await;
    }
    assert!(all.calendar.timestamp() - switched > 3 * 60 * 60, "the grace is not kept");
    all.tally.report("in grace, after the last token of the old key");

    all.renew_in_the_browser().await;
    for _ in 0..3 {
        all.pass(STEP).await;
    }
    all.sign_in_again().await;
    all.tally.report("the old key is gone");
    all.end().await;
}

#[tokio::test]
async fn no_client_notices_the_way_from_hs256_to_rs256_and_back() {
    let written = |algorithm: &str| format!("jwt_algorithm: {algorithm}");
    let secret = "what the server and its resource servers share";
    let mut all = Installation::start(&[&written("HS256")], Some(secret)).await;
    for (number, algorithm) in ["HS256", "RS256", "HS256"].into_iter().enumerate() {
        all.rewrite(&[&written(algorithm)]);
        while all.newest["alg"] != algorithm {
            all.go_on().await;
        }
        all.renew_in_the_browser().await;
        // Longer than a token lives: those of the other algorithm are verified until they expire.
        for _ in 0..12 {
            all.pass(STEP).await;
        }
        all.sign_in_again().await;
        assert_eq!(all.newest["alg"], algorithm);
        all.tally.report(&format!("{algorithm}, part {} of 3", number + 1));
    }
    all.end().await;
}
