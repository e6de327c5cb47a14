//! The invariants of the rotation hold in random histories; and the test would notice if they did not.
//! `HISTORIES=10000 cargo test --test it key::property` runs as many as one likes.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

use super::history::{Broken, Event, World};

type History = (bool, bool, Vec<Event>);

fn histories(broken: Broken, cases: u32) -> (Result<(), TestError<History>>, u32) {
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() };
    // The short form always takes the same histories, so that it tells of a change and never of luck; the long form looks
    // for new ones.
    let mut runner = match std::env::var_os("HISTORIES") {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let rotations = std::cell::Cell::new(0);
    let history = (any::<bool>(), prop::bool::weighted(0.2), prop::collection::vec(any::<Event>(), 50..250));
    let result = runner.run(&history, |(tight, losing, events)| {
        let mut world = World::new(broken, tight, losing);
        let result = world.run(&events);
        rotations.set(rotations.get() + world.rotations);
        result.map_err(TestCaseError::fail)
    });
    (result, rotations.get())
}

/// A history in which the store is emptied, and so many quiet moments after it, break no invariant.
fn ends_well(tight: bool, history: &[Event], quiet: usize) {
    let events: Vec<Event> = history.iter().copied().chain(std::iter::repeat_n((0, 0), quiet)).collect();
    assert_eq!(World::new(Broken::Nothing, tight, true).run(&events), Ok(()));
}

/// Histories that once ended badly, as the property test wrote them down.
#[test]
fn a_sleeper_that_remembers_a_withdrawn_successor_leaves_somebody_to_sign() {
    let slept = [
        (0, 21),
        (33, 0),
        (96, 0),
        (1, 0),
        (225, 0),
        (166, 2),
        (232, 148),
        (3, 0),
        (166, 9),
        (220, 26),
        (66, 135),
        (106, 29),
        (198, 51),
        (32, 65),
        (1, 225),
        (0, 0),
        (4, 0),
        (2, 0),
        (2, 0),
        (43, 0),
        (1, 25),
        (2, 0),
        (0, 0),
        (2, 0),
        (1, 1),
        (4, 0),
        (0, 0),
        (4, 3),
        (10, 13),
        (1, 1),
        (0, 84),
        (1, 109),
        (195, 66),
    ];
    ends_well(false, &slept, 20);
}

#[test]
fn a_withdrawal_that_a_lost_store_forgot_leaves_somebody_to_sign() {
    let forgot = [(134, 43), (166, 176), (28, 12), (5, 56), (202, 173), (124, 22), (201, 0), (29, 3)];
    ends_well(false, &forgot, 20);
}

#[test]
fn a_key_that_a_lost_store_never_showed_to_a_sleeper_is_not_all_that_is_left() {
    let lost = [
        (107, 141),
        (70, 40),
        (107, 2),
        (1, 45),
        (200, 95),
        (36, 7),
        (106, 61),
        (208, 223),
        (28, 151),
        (234, 2),
        (3, 0),
        (29, 0),
    ];
    ends_well(true, &lost, 40);
}

#[test]
fn a_successor_that_signs_early_for_a_withdrawn_key_goes_on_after_a_loss() {
    let early = [
        (224, 0),
        (198, 6),
        (2, 4),
        (193, 107),
        (2, 1),
        (11, 1),
        (102, 17),
        (38, 189),
        (3, 106),
        (11, 12),
        (6, 86),
        (11, 96),
        (3, 18),
        (43, 21),
        (16, 19),
        (118, 109),
        (70, 29),
        (43, 35),
        (43, 70),
        (11, 30),
        (42, 182),
        (8, 24),
        (220, 0),
    ];
    ends_well(true, &early, 40);
}

fn wanted() -> u32 {
    std::env::var("HISTORIES").ok().and_then(|number| number.parse().ok()).unwrap_or(300)
}

#[test]
fn no_history_shows_a_token_that_cannot_be_verified() {
    let (result, rotations) = histories(Broken::Nothing, wanted());
    if let Err(TestError::Fail(reason, (tight, losing, events))) = result {
        panic!("{reason}\ntight: {tight}, losing: {losing}, {events:?}");
    }
    println!("{} histories, {rotations} rotations", wanted());
    assert!(rotations > wanted(), "the histories rotate too seldom to prove anything: {rotations}");
}

/// The property fails, and for one of these reasons.
fn assert_fails(broken: Broken, cases: u32, reasons: &[&str]) {
    let Err(TestError::Fail(reason, _)) = histories(broken, cases).0 else { panic!("{broken:?} goes unnoticed") };
    let reason = reason.message();
    assert!(reasons.iter().any(|expected| reason.contains(expected)), "{broken:?} fails by accident: {reason}");
}

#[test]
fn the_property_fails_without_an_announcement() {
    let reasons = ["did not publish it for long enough", "a verifier meets a valid token"];
    assert_fails(Broken::AnnounceIsZero, 2000, &reasons);
}

#[test]
fn the_property_fails_with_plain_writes() {
    let reasons = ["two first keys were made", "thinks that the store has lost", "cannot verify"];
    assert_fails(Broken::PlainWrite, 2000, &reasons);
}

#[test]
fn the_property_fails_when_the_last_expiry_is_ignored() {
    assert_fails(Broken::LastExpiryIsIgnored, 20_000, &["cannot verify a token of", "a verifier meets a valid token"]);
}
