//! Password hashes of fixed users.

use std::time::Duration;

use uitsmijter::login::password::{PasswordChecker, check_hash, hash};
use uitsmijter::random::SystemRandom;

#[tokio::test]
async fn a_password_belongs_to_its_hash_and_to_no_other() {
    let checker = PasswordChecker::new();
    let stored = hash("correct horse", &SystemRandom);
    check_hash(&stored).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_ne!(stored, hash("correct horse", &SystemRandom), "the salt is fresh");
    assert!(checker.verify(Some(&stored), "correct horse").await);
    assert!(!checker.verify(Some(&stored), "correct horsf").await);
    assert!(!checker.verify(Some(&stored), "").await);
}

#[tokio::test]
async fn an_unknown_user_is_refused_after_the_same_work() {
    let checker = PasswordChecker::new();
    let stored = hash("correct horse", &SystemRandom);
    let mut known = Duration::MAX;
    let mut unknown = Duration::MAX;
    // The fastest of each; a busy machine may need a few more tries until neither was interrupted.
    for _ in 0..40 {
        let began = tokio::time::Instant::now();
        assert!(!checker.verify(Some(&stored), "wrong").await);
        known = known.min(began.elapsed());
        let began = tokio::time::Instant::now();
        assert!(!checker.verify(None, "wrong").await);
        unknown = unknown.min(began.elapsed());
        if unknown * 2 > known && known * 2 > unknown {
            return;
        }
    }
    panic!("an unknown user answers after {unknown:?}, a known one after {known:?}");
}

#[tokio::test]
async fn a_broken_hash_lets_nobody_in() {
    let checker = PasswordChecker::new();
    for broken in ["", "plain", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ"] {
        assert!(!checker.verify(Some(broken), broken).await, "{broken}");
    }
}

#[test]
fn a_hash_that_cannot_be_used_is_found_at_load() {
    let broken = [
        ("", "PHC"),
        ("secret", "PHC"),
        ("$2b$10$abcdefghijklmnopqrstuuMk6dCB1ZC2VNDcE2LVSBv1bLhpXJ8jK", "PHC"),
        ("$scrypt$ln=16,r=8,p=1$c2FsdHNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A", "not argon2"),
        ("$argon2i$v=19$m=4096,t=3,p=1$c2FsdHNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A", "not argon2id"),
        ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ", "missing"),
        ("$argon2id$v=19$m=4194304,t=9,p=1$c2FsdHNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A", "too much"),
    ];
    for (hash, reason) in broken {
        let error = check_hash(hash).expect_err(hash);
        assert!(error.contains(reason), "{hash}: {error}");
    }
}
