//! Guessing passwords is slow: attempts are counted per user name and per address, for all replicas, in the store.
//!
//! An attempt is counted before the password is looked at, so that parallel guesses count, too; the right password
//! clears the count of the name. Delays grow and have an end, and counts are forgiven with time. Where a person has signed
//! in before (that browser, that address) they have a count of their own: strangers who guess cannot lock them out. At a
//! new place they have one attempt, however long the name has to wait.
//! Addresses get more attempts than names, because many people may share one; what succeeds is taken back there.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::attempts::Limit;
use super::session::everything_of;
use crate::clock::Timestamp;
use crate::store::{Record, Store};

/// How much is free, and how long the longest delay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottlePolicy {
    /// Whether anything is counted at all.
    pub enabled: bool,
    /// Attempts on one user name before the first delay.
    pub free_attempts: u32,
    /// Failures from one address before the first delay.
    pub free_attempts_per_address: u32,
    /// Where the delays stop to grow.
    pub longest_delay: Duration,
}

/// One attempt on a name is forgiven after this long, and one from an address after that long.
const FORGIVEN: Duration = Duration::from_secs(15 * 60);
const FORGIVEN_ADDRESS: Duration = Duration::from_secs(60);
/// How far a count goes beyond the free attempts; also a bound for how long it takes to be forgiven.
const MOST: u32 = 20;
/// How long a place is remembered at which somebody signed in.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often a count is tried to be changed while others change it: whenever it fails, one of them got through, and of
/// those an address lets through fewer at once.
const TRIES: usize = 100;
/// A delay that nobody should have to sit out because of strangers.
const LONG: Duration = Duration::from_secs(60);
/// How often one network may try a name that has to wait so long, and how often all networks together.
const FRESH_HERE: Limit = Limit { attempts: 1, window: Duration::from_secs(24 * 60 * 60) };
const FRESH: Limit = Limit { attempts: 20, window: Duration::from_secs(24 * 60 * 60) };

/// Who tries to sign in, from where.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The name as typed.
    pub username: &'a str,
    /// The person's address, if it is known and theirs.
    pub address: Option<IpAddr>,
    /// The value of the browser's own cookie.
    pub browser: Option<&'a str>,
}

/// How many attempts there were, and when the last one was.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Count {
    attempts: u32,
    last: Timestamp,
}

impl Record for Count {
    const KIND: &'static str = "attempts";
}

/// A place at which somebody has signed in.
#[derive(Serialize, Deserialize)]
struct KnownPlace {}

impl Record for KnownPlace {
    const KIND: &'static str = "known-place";
}

/// What becomes of an attempt.
pub enum Admission {
    /// The password may be looked at. Say afterwards how it went.
    Granted(Ticket),
    /// Too early.
    Wait(Duration),
}

/// The proof that an attempt was counted.
pub struct Ticket {
    /// Where the right password clears the count; `None` where nothing is counted.
    name: Option<String>,
    counted: Vec<(String, Rule)>,
    places: Vec<String>,
}

/// After how many attempts there are delays, and how long one takes to be forgiven.
#[derive(Clone, Copy)]
struct Rule {
    free: u32,
    forgiven: Duration,
    longest_delay: Duration,
}

impl ThrottlePolicy {
    fn of_name(&self) -> Rule {
        Rule { free: self.free_attempts.max(1), forgiven: FORGIVEN, longest_delay: self.longest_delay }
    }

    fn of_address(&self) -> Rule {
        let free = self.free_attempts_per_address.max(1);
        Rule { free, forgiven: FORGIVEN_ADDRESS, longest_delay: self.longest_delay }
    }
}

/// Counts an attempt, unless it comes too early. One that is too early for its name counts for its address all the same:
/// whoever keeps a name busy gets slower at it.
pub async fn admit(store: &Store, policy: ThrottlePolicy, attempt: Attempt<'_>, now: Timestamp) -> Result<Admission> {
    if !policy.enabled {
        return Ok(Admission::Granted(Ticket { name: None, counted: Vec::new(), places: Vec::new() }));
    }
    let mut counted = Vec::new();
    if let Some(address) = attempt.address {
        let (key, rule) = (format!("address\n{}", network(address)), policy.of_address());
        let wait = take(store, &key, rule, now).await?;
        if !wait.is_zero() {
            return Ok(Admission::Wait(wait));
        }
        counted.push((key, rule));
    }
    let places = places(&attempt);
    let name = match known(store, &places).await? {
        Some(place) => place.to_owned(),
        None => format!("name\n{}", spelled(attempt.username)),
    };
    let wait = take(store, &name, policy.of_name(), now).await?;
    if wait.is_zero() {
        counted.push((name.clone(), policy.of_name()));
    } else if wait < LONG || !is_fresh(store, &attempt, now).await? {
        return Ok(Admission::Wait(wait));
    }
    Ok(Admission::Granted(Ticket { name: Some(name), counted, places }))
}

/// Whether this is the first attempt on a name that comes from its network while the name has to wait. Without it, one
/// stranger who goes on guessing would keep a person from every place where they have not been before. It is for a few
/// networks only, because some strangers have many.
async fn is_fresh(store: &Store, attempt: &Attempt<'_>, now: Timestamp) -> Result<bool> {
    let Some(address) = attempt.address else { return Ok(false) };
    let name = format!("fresh\n{}", spelled(attempt.username));
    let here = format!("{name}\n{}", network(address));
    Ok(FRESH_HERE.take(store, &here, now).await? && FRESH.take(store, &name, now).await?)
}

/// Counts an attempt under `key` before anybody knows how it ends, so that none of many at once is missed; or says how
/// long it has to wait, and counts nothing.
async fn take(store: &Store, key: &str, rule: Rule, now: Timestamp) -> Result<Duration> {
    for _ in 0..TRIES {
        let loaded = store.load::<Count>(key).await?;
        let count = loaded.as_ref().map(|loaded| &loaded.record);
        let wait = count.map(|count| count.wait(now, rule)).unwrap_or_default();
        if !wait.is_zero() {
            return Ok(wait);
        }
        let next = Count::after(count, now, rule);
        if store.replace(key, loaded.as_ref(), &next, &[], Some(next.forgiven_at(rule.forgiven))).await? {
            return Ok(Duration::ZERO);
        }
    }
    // Many at once.
    Ok(Duration::from_secs(1))
}

/// Takes back what [`take`] has counted.
async fn give_back(store: &Store, key: &str, rule: Rule) -> Result<()> {
    for _ in 0..TRIES {
        let Some(loaded) = store.load::<Count>(key).await? else { break };
        let less = Count { attempts: loaded.record.attempts.saturating_sub(1), last: loaded.record.last };
        if store.replace(key, Some(&loaded), &less, &[], Some(less.forgiven_at(rule.forgiven))).await? {
            break;
        }
    }
    Ok(())
}

impl Ticket {
    /// The password was right: the count of the name begins anew, the address is as it was, and the place is remembered.
    pub async fn succeeded(self, store: &Store, subject: &str, now: Timestamp) -> Result<()> {
        let Some(name) = self.name else { return Ok(()) };
        let groups = [everything_of(subject)];
        let remember = |place| store.put(place, &KnownPlace {}, &groups, now + REMEMBERED);
        let others = self.counted.iter().filter(|(key, _)| *key != name);
        // Side by side, so that a store which syncs its disk does so once.
        let remembered = try_join_all(self.places.iter().map(|place| remember(place)));
        let given_back = try_join_all(others.map(|(key, rule)| give_back(store, key, *rule)));
        tokio::try_join!(store.remove::<Count>(&name), remembered, given_back).map(drop)
    }

    /// Nobody could say whether the password was right: the attempt does not count.
    pub async fn withdrawn(self, store: &Store) -> Result<()> {
        try_join_all(self.counted.iter().map(|(key, rule)| give_back(store, key, *rule))).await.map(drop)
    }
}

impl Count {
    /// The count once another attempt is added to what is not forgiven yet.
    fn after(before: Option<&Self>, now: Timestamp, rule: Rule) -> Self {
        let left = before.map(|count| count.left(now, rule.forgiven)).unwrap_or_default();
        Self { attempts: (left + 1).min(rule.free + MOST), last: now }
    }

    /// How many attempts are not forgiven yet.
    fn left(&self, now: Timestamp, forgiven: Duration) -> u32 {
        let passed = now.since(self.last).as_secs() / forgiven.as_secs();
        self.attempts.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// How long the next attempt has to wait: 2 s after the last free one, then twice as long each time.
    fn wait(&self, now: Timestamp, rule: Rule) -> Duration {
        let left = self.left(now, rule.forgiven);
        if left < rule.free {
            return Duration::ZERO;
        }
        let delay = Duration::from_secs(2 << (left - rule.free).min(MOST)).min(rule.longest_delay);
        (self.last + delay).since(now)
    }

    fn forgiven_at(&self, forgiven: Duration) -> Timestamp {
        self.last + forgiven * self.attempts.max(1)
    }
}

/// The places of an attempt: this browser and this address, each with the name.
fn places(attempt: &Attempt<'_>) -> Vec<String> {
    let name = spelled(attempt.username);
    let browser = attempt.browser.map(|browser| format!("place\n{name}\nbrowser\n{browser}"));
    let address = attempt.address.map(|address| format!("place\n{name}\naddress\n{}", network(address)));
    browser.into_iter().chain(address).collect()
}

async fn known<'a>(store: &Store, places: &'a [String]) -> Result<Option<&'a str>> {
    for place in places {
        if store.get::<KnownPlace>(place).await?.is_some() {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Spellings that a backend may take for the same name share a count.
fn spelled(username: &str) -> String {
    username.trim().to_lowercase().replace('\n', " ")
}

/// Whoever has an IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { free: 5, forgiven: FORGIVEN, longest_delay: Duration::from_secs(300) };

    #[test]
    fn delays_double_up_to_the_longest_and_are_forgiven() {
        let at = Timestamp(1_000_000);
        let wait = |attempts| Count { attempts, last: at }.wait(at, RULE).as_secs();
        assert_eq!((0..=14).map(wait).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait(25), 300);
        let count = Count { attempts: 7, last: at };
        assert_eq!(count.left(at + FORGIVEN * 3, FORGIVEN), 4);
        assert_eq!(Count::after(Some(&count), at, RULE).attempts, 8);
        assert_eq!(Count::after(Some(&Count { attempts: 25, last: at }), at, RULE).attempts, 25);
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_address() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}
