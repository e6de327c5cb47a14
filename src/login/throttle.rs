//! Guessing passwords is slow: attempts are counted per user name and per address, for all replicas, in the store.
//!
//! An attempt on a name is counted before the password is looked at, so that parallel guesses count, too; the right
//! password clears the count. Delays grow and have an end, and counts are forgiven with time. Where a person has signed
//! in before (that browser, that address) they have a count of their own: strangers who guess cannot lock them out.
//! Addresses get more attempts than names, because many people may share one; only failures count there.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

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
/// How often a count is tried to be changed while others change it.
const TRIES: usize = 8;

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
    policy: ThrottlePolicy,
    name: String,
    address: Option<String>,
    places: Vec<String>,
}

/// Counts an attempt, unless it comes too early.
pub async fn admit(store: &Store, policy: ThrottlePolicy, attempt: Attempt<'_>, now: Timestamp) -> Result<Admission> {
    let places = places(&attempt);
    let address = attempt.address.map(|address| format!("address\n{}", network(address)));
    let ticket = |name| Admission::Granted(Ticket { policy, name, address: address.clone(), places: places.clone() });
    if !policy.enabled {
        return Ok(ticket(String::new()));
    }
    if let Some(address) = &address {
        let count = store.get::<Count>(address).await?;
        let wait = count.map(|count| count.wait(now, &policy, policy.free_attempts_per_address, FORGIVEN_ADDRESS));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return Ok(Admission::Wait(wait));
        }
    }
    let name = match known(store, &places).await? {
        Some(place) => place.to_owned(),
        None => format!("name\n{}", spelled(attempt.username)),
    };
    for _ in 0..TRIES {
        let loaded = store.load::<Count>(&name).await?;
        let count = loaded.as_ref().map(|loaded| &loaded.record);
        let wait = count.map(|count| count.wait(now, &policy, policy.free_attempts, FORGIVEN)).unwrap_or_default();
        if !wait.is_zero() {
            return Ok(Admission::Wait(wait));
        }
        let next = Count::after(count, now, policy.free_attempts, FORGIVEN);
        if store.replace(&name, loaded.as_ref(), &next, &[], Some(next.forgiven_at(FORGIVEN))).await? {
            return Ok(ticket(name));
        }
    }
    // Many at once on one name.
    Ok(Admission::Wait(Duration::from_secs(1)))
}

impl Ticket {
    /// The password was right: the count of the name begins anew, and the place is remembered.
    pub async fn succeeded(self, store: &Store, subject: &str, now: Timestamp) -> Result<()> {
        if !self.policy.enabled {
            return Ok(());
        }
        let groups = [everything_of(subject)];
        let remember = |place| store.put(place, &KnownPlace {}, &groups, now + REMEMBERED);
        // Side by side, so that a store which syncs its disk does so once.
        let remembered = try_join_all(self.places.iter().map(|place| remember(place)));
        tokio::try_join!(store.remove::<Count>(&self.name), remembered).map(drop)
    }

    /// The password was wrong: the address is held to account, too.
    pub async fn failed(self, store: &Store, now: Timestamp) -> Result<()> {
        let Some(address) = self.address.as_ref().filter(|_| self.policy.enabled) else { return Ok(()) };
        for _ in 0..TRIES {
            let loaded = store.load::<Count>(address).await?;
            let count = loaded.as_ref().map(|loaded| &loaded.record);
            let next = Count::after(count, now, self.policy.free_attempts_per_address, FORGIVEN_ADDRESS);
            let until = Some(next.forgiven_at(FORGIVEN_ADDRESS));
            if store.replace(address, loaded.as_ref(), &next, &[], until).await? {
                break;
            }
        }
        Ok(())
    }

    /// Nobody could say whether the password was right: the attempt does not count.
    pub async fn withdrawn(self, store: &Store) -> Result<()> {
        if !self.policy.enabled {
            return Ok(());
        }
        let Some(loaded) = store.load::<Count>(&self.name).await? else { return Ok(()) };
        let less = Count { attempts: loaded.record.attempts.saturating_sub(1), last: loaded.record.last };
        store.replace(&self.name, Some(&loaded), &less, &[], Some(less.forgiven_at(FORGIVEN))).await?;
        Ok(())
    }
}

impl Count {
    /// The count once another attempt is added to what is not forgiven yet.
    fn after(before: Option<&Self>, now: Timestamp, free: u32, forgiven: Duration) -> Self {
        let left = before.map(|count| count.left(now, forgiven)).unwrap_or_default();
        Self { attempts: (left + 1).min(free + MOST), last: now }
    }

    /// How many attempts are not forgiven yet.
    fn left(&self, now: Timestamp, forgiven: Duration) -> u32 {
        let passed = now.since(self.last).as_secs() / forgiven.as_secs();
        self.attempts.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// How long the next attempt has to wait: 2 s after the last free one, then twice as long each time.
    fn wait(&self, now: Timestamp, policy: &ThrottlePolicy, free: u32, forgiven: Duration) -> Duration {
        let left = self.left(now, forgiven);
        if left < free.max(1) {
            return Duration::ZERO;
        }
        let delay = Duration::from_secs(2 << (left - free.max(1)).min(MOST)).min(policy.longest_delay);
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

    const POLICY: ThrottlePolicy = ThrottlePolicy {
        enabled: true,
        free_attempts: 5,
        free_attempts_per_address: 50,
        longest_delay: Duration::from_secs(300),
    };

    #[test]
    fn delays_double_up_to_the_longest_and_are_forgiven() {
        let at = Timestamp(1_000_000);
        let wait = |attempts| Count { attempts, last: at }.wait(at, &POLICY, 5, FORGIVEN).as_secs();
        assert_eq!((0..=14).map(wait).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait(25), 300);
        let count = Count { attempts: 7, last: at };
        assert_eq!(count.left(at + FORGIVEN * 3, FORGIVEN), 4);
        assert_eq!(Count::after(Some(&count), at, 5, FORGIVEN).attempts, 8);
        assert_eq!(Count::after(Some(&Count { attempts: 25, last: at }), at, 5, FORGIVEN).attempts, 25);
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_address() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}
