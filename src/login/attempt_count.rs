//! Attempts that are counted before it is known how they end: delays that grow, and counts that are forgiven with time.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use crate::clock::Timestamp;
use crate::store::{Contended, Record, Replacement, Store};

/// How far a count goes beyond the free attempts; also a bound for how long it takes to be forgiven.
const MOST: u32 = 20;

/// After how many attempts there are delays, and how long one takes to be forgiven.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) free: u32,
    pub(super) forgiven: Duration,
    pub(super) longest_delay: Duration,
}

/// How many attempts there were, when the last one was, and since when they are forgiven one after the other: a new
/// attempt does not begin that anew, or an address that many share would never be forgiven anything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Count {
    attempts: u32,
    last: Timestamp,
    /// An earlier version does not say; then it was the last attempt.
    #[serde(default)]
    since: Option<Timestamp>,
}

impl Record for Count {
    const KIND: &'static str = "attempts";
}

/// Counts an attempt under `key` before anybody knows how it ends, so that none of many at once is missed; or says how
/// long it has to wait, and counts nothing.
pub(super) async fn take(store: &Store, key: &str, rule: Rule, now: Timestamp) -> Result<Duration> {
    let mut wait = Duration::ZERO;
    let count = |before: Option<&Count>| {
        wait = before.map(|count| count.wait(now, rule)).unwrap_or_default();
        wait.is_zero().then(|| Count::after(before, now, rule).kept(rule))
    };
    // Where many try at once, one who is overtaken every time waits for a second.
    Contended::or(Duration::from_secs(1), store.update(key, count).await.map(|_| wait))
}

/// How long the next attempt under `key` has to wait.
pub(super) async fn waiting(store: &Store, key: &str, rule: Rule, now: Timestamp) -> Result<Duration> {
    Ok(store.get::<Count>(key).await?.map(|count| count.wait(now, rule)).unwrap_or_default())
}

/// Counts an attempt under `key`, however early it came, and writes it into the ledger; gives the count.
pub(super) async fn add(ledger: Ledger<'_>, key: &str, rule: Rule) -> Result<Count> {
    let mut counted = Count::after(None, ledger.now, rule);
    let count = |before: Option<&Count>| {
        counted = Count::after(before, ledger.now, rule);
        Some(counted.clone().kept(rule))
    };
    // Of so many at once, one more or less makes no difference.
    Contended::or(false, ledger.store.update(key, count).await)?;
    ledger.note::<Count>(key, counted.attempts, counted.ends(rule)).await?;
    Ok(counted)
}

/// Writes what [`take`] has counted into the ledger, because it stays.
pub(super) async fn keep(ledger: Ledger<'_>, key: &str, rule: Rule) -> Result<()> {
    let Some(count) = ledger.store.get::<Count>(key).await? else { return Ok(()) };
    ledger.note::<Count>(key, count.attempts, count.ends(rule)).await
}

/// Takes back what [`take`] has counted.
pub(super) async fn give_back(ledger: Ledger<'_>, key: &str, rule: Rule) -> Result<()> {
    let less = |count: &Count| Count { attempts: count.attempts.saturating_sub(1), ..count.clone() }.kept(rule);
    Contended::or(false, ledger.store.update(key, |count| count.map(less)).await)?;
    keep(ledger, key, rule).await
}

impl Count {
    /// The count once another attempt is added to what is not forgiven yet.
    pub(super) fn after(before: Option<&Self>, now: Timestamp, rule: Rule) -> Self {
        let left = before.map(|count| count.left(now, rule.forgiven)).unwrap_or_default();
        // What is left of a period goes on to count.
        let since = before.filter(|_| left > 0).map(|count| count.since() + rule.forgiven * (count.attempts - left));
        Self { attempts: (left + 1).min(rule.free + MOST), last: now, since: since.or(Some(now)) }
    }

    /// How many attempts are not forgiven yet.
    fn left(&self, now: Timestamp, forgiven: Duration) -> u32 {
        let passed = now.since(self.since()).as_secs() / forgiven.as_secs();
        self.attempts.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// How long the next attempt has to wait: 2 s after the last free one, then twice as long each time.
    pub(super) fn wait(&self, now: Timestamp, rule: Rule) -> Duration {
        let left = self.left(now, rule.forgiven);
        if left < rule.free {
            return Duration::ZERO;
        }
        let delay = Duration::from_secs(2 << (left - rule.free).min(MOST)).min(rule.longest_delay);
        (self.last + delay).since(now)
    }

    fn since(&self) -> Timestamp {
        self.since.unwrap_or(self.last)
    }

    /// Kept until all of it is forgiven.
    fn kept(self, rule: Rule) -> Replacement<Self> {
        Replacement::until(self.ends(rule), self)
    }

    fn ends(&self, rule: Rule) -> Timestamp {
        self.since() + rule.forgiven * self.attempts.max(1)
    }

    /// Whichever of two counts of the same thing has more.
    pub(super) fn greater(self, other: Self) -> Self {
        if other.attempts > self.attempts { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORGIVEN: Duration = Duration::from_secs(15 * 60);
    const RULE: Rule = Rule { free: 5, forgiven: FORGIVEN, longest_delay: Duration::from_secs(300) };

    #[test]
    fn delays_double_up_to_the_longest_and_are_forgiven() {
        let at = Timestamp(1_000_000);
        let count = |attempts| Count { attempts, last: at, since: None };
        let wait = |attempts| count(attempts).wait(at, RULE).as_secs();
        assert_eq!((0..=14).map(wait).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait(25), 300);
        assert_eq!(count(7).left(at + FORGIVEN * 3, FORGIVEN), 4);
        assert_eq!(Count::after(Some(&count(7)), at, RULE).attempts, 8);
        assert_eq!(Count::after(Some(&count(25)), at, RULE).attempts, 25);
    }

    #[test]
    fn attempts_that_go_on_do_not_stop_the_earlier_ones_from_being_forgiven() {
        let at = Timestamp(1_000_000);
        let mut count = Count { attempts: 7, last: at, since: Some(at) };
        // Somebody signs in every five minutes, which is counted and taken back; three are forgiven in an hour less.
        for minutes in (5..=50).step_by(5) {
            count = Count::after(Some(&count), at + Duration::from_secs(minutes * 60), RULE);
            count.attempts -= 1;
        }
        assert_eq!(count.attempts, 4);
        assert_eq!(count.left(at + Duration::from_secs(60 * 60), FORGIVEN), 3);
    }
}
