//! The invariants of the rotation hold in random histories; and the test would notice if they did not.
//! `HISTORIES=10000 cargo test --test it key::property` runs more of them.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

use super::history::EventKind::*;
use super::history::{Broken, Event, EventKind, World};

type History = (bool, bool, Vec<Event>);

fn histories(broken: Broken, cases: u32) -> (Result<(), TestError<History>>, u32) {
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() };
    // The short form always takes the same histories, so that a failure means a change and not bad luck; the long
    // form looks for new ones.
    let mut runner = match std::env::var_os("HISTORIES") {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let rotations = std::cell::Cell::new(0);
    let event = any::<(u8, u8)>().prop_map(|(number, choice)| (EventKind::of(number), choice));
    let history = (any::<bool>(), prop::bool::weighted(0.2), prop::collection::vec(event, 50..250));
    let result = runner.run(&history, |(tight, losing, events)| {
        let mut world = World::new(broken, tight, losing);
        let result = world.run(&events);
        rotations.set(rotations.get() + world.rotations);
        result.map_err(TestCaseError::fail)
    });
    (result, rotations.get())
}

/// A history in which the store is emptied, followed by `quiet` more events, breaks no invariant.
fn ends_well(tight: bool, history: &[Event], quiet: usize) {
    let events: Vec<Event> = history.iter().copied().chain(std::iter::repeat_n((Starts, 0), quiet)).collect();
    assert_eq!(World::new(Broken::Nothing, tight, true).run(&events), Ok(()));
}

/// Histories that once failed, as the property test shrank them.
#[test]
fn a_sleeper_that_remembers_a_withdrawn_successor_leaves_a_key_that_signs() {
    let slept = [
        (Starts, 21),
        (IsKilled, 0),
        (Starts, 0),
        (IsKilled, 0),
        (IsKilled, 0),
        (Calm, 2),
        (OperatorRotates, 148),
        (Wakes, 0),
        (Calm, 9),
        (LosesTheStore, 26),
        (Freezes, 135),
        (OperatorRevokes, 29),
        (Calm, 51),
        (Starts, 65),
        (IsKilled, 225),
        (Starts, 0),
        (IsCutOff, 0),
        (Freezes, 0),
        (Freezes, 0),
        (Begins, 0),
        (IsKilled, 25),
        (Freezes, 0),
        (Starts, 0),
        (Freezes, 0),
        (IsKilled, 1),
        (IsCutOff, 0),
        (Starts, 0),
        (IsCutOff, 3),
        (OperatorRevokes, 13),
        (IsKilled, 1),
        (Starts, 84),
        (IsKilled, 109),
        (Wakes, 66),
    ];
    ends_well(false, &slept, 20);
}

#[test]
fn a_withdrawal_that_a_lost_store_forgot_leaves_a_key_that_signs() {
    let forgot = [
        (Calm, 43),
        (Calm, 176),
        (LosesTheStore, 12),
        (ClockChanges, 56),
        (OperatorRevokes, 173),
        (LosesTheStore, 22),
        (OperatorRotatesNow, 0),
        (Polls, 3),
    ];
    ends_well(false, &forgot, 20);
}

#[test]
fn a_key_that_a_lost_store_never_showed_to_a_sleeper_is_not_all_that_is_left() {
    let lost = [
        (Begins, 141),
        (Calm, 40),
        (Begins, 2),
        (IsKilled, 45),
        (OperatorRotates, 95),
        (IsCutOff, 7),
        (OperatorRevokes, 61),
        (Finishes, 223),
        (LosesTheStore, 151),
        (OperatorRevokes, 2),
        (Wakes, 0),
        (Polls, 0),
    ];
    ends_well(true, &lost, 40);
}

#[test]
fn a_successor_that_signs_early_for_a_withdrawn_key_goes_on_after_a_loss() {
    let early = [
        (Starts, 0),
        (Calm, 6),
        (Freezes, 4),
        (IsKilled, 107),
        (Freezes, 1),
        (Begins, 1),
        (Calm, 17),
        (Calm, 189),
        (Wakes, 106),
        (Begins, 12),
        (Calm, 86),
        (Begins, 96),
        (Wakes, 18),
        (Begins, 21),
        (Finishes, 19),
        (Signs, 109),
        (Calm, 29),
        (Begins, 35),
        (Begins, 70),
        (Begins, 30),
        (OperatorRevokes, 182),
        (OperatorRotates, 24),
        (LosesTheStore, 0),
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
