//! Guessing passwords is slow: attempts are counted per user name and per address, for all replicas, in the store.
//!
//! An attempt on a name is counted before the password is looked at, so that parallel guesses count, too; the right
//! password clears the count. Delays grow and have an end, and counts are forgiven with time. Where a person has signed
//! in before (that browser, that address) they have a count of their own: strangers who guess cannot lock them out. At a
//! new place they have one attempt, however long the name has to wait.
//! Addresses get more attempts than names, because many people may share one; only failures count there, so that those
//! who sign in at the same moment from one office do not contend for one record.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::attempt_count::{Count, Rule, add, give_back, keep, take, waiting};
use super::attempts::Limit;
use super::ledger::Ledger;
use super::network;
use super::spelling::comparable;
use crate::clock::Timestamp;
use crate::session::record::everything_of;
use crate::store::{Batch, Record, Store};

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
/// How long a place is remembered at least after somebody signed in there.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a place need not be written down again.
const FRESHLY_REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
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

/// A place at which somebody has signed in.
#[derive(Serialize, Deserialize)]
struct KnownPlace {
    /// When it was written down; an earlier version does not say.
    #[serde(default)]
    since: Option<Timestamp>,
}

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
    /// The count of the name, unless the attempt was the one that everybody has at a new place.
    counted: Option<Rule>,
    /// The counts of the networks that the address is in.
    networks: Vec<(String, Rule)>,
    /// The places that are to be remembered.
    places: Vec<String>,
}

impl ThrottlePolicy {
    pub(super) fn of_name(&self) -> Rule {
        Rule { free: self.free_attempts.max(1), forgiven: FORGIVEN, longest_delay: self.longest_delay }
    }

    /// The counts of the networks that `address` is in, which begin with `what`.
    pub(super) fn of_networks(&self, what: &str, address: IpAddr) -> Vec<(String, Rule)> {
        let rule = |times: u32| Rule {
            free: self.free_attempts_per_address.max(1).saturating_mul(times),
            forgiven: FORGIVEN_ADDRESS / times,
            longest_delay: self.longest_delay,
        };
        network::all(address).into_iter().map(|(network, times)| (format!("{what}\n{network}"), rule(times))).collect()
    }
}

/// Counts an attempt, unless it comes too early. One that is too early for its name does not count for its address: a
/// program with an old password must not keep the whole office out that it stands in.
pub async fn admit(ledger: Ledger<'_>, policy: ThrottlePolicy, attempt: Attempt<'_>) -> Result<Admission> {
    let Ledger { store, now, .. } = ledger;
    if !policy.enabled {
        return Ok(Admission::Granted(Ticket { name: None, counted: None, networks: Vec::new(), places: Vec::new() }));
    }
    let networks = attempt.address.map(|address| policy.of_networks("address", address)).unwrap_or_default();
    let spelled = comparable(attempt.username);
    let places = places(&attempt, &spelled);
    // Asked for at once: each answer is a journey away.
    let (wait, known) = tokio::try_join!(waiting_at(store, &networks, now), known(store, &places))?;
    if !wait.is_zero() {
        return Ok(Admission::Wait(wait));
    }
    let name = match known.iter().position(Option::is_some) {
        Some(place) => places[place].clone(),
        None => format!("name\n{spelled}"),
    };
    let is_recent = |place: &KnownPlace| place.since.is_some_and(|since| now.since(since) < FRESHLY_REMEMBERED);
    let to_remember = places.into_iter().zip(known).filter(|(_, known)| !known.as_ref().is_some_and(is_recent));
    let places = to_remember.map(|(place, _)| place).collect();
    let rule = policy.of_name();
    let wait = take(store, &name, rule, now).await?;
    if !wait.is_zero() && (wait < LONG || !is_fresh(ledger, &attempt, &spelled).await?) {
        return Ok(Admission::Wait(wait));
    }
    let counted = wait.is_zero().then_some(rule);
    Ok(Admission::Granted(Ticket { name: Some(name), counted, networks, places }))
}

/// Whether this is the first attempt on a name that comes from its network while the name has to wait. Without it, one
/// stranger who goes on guessing would keep a person from every place where they have not been before. It is for a few
/// networks only, because some strangers have many.
async fn is_fresh(ledger: Ledger<'_>, attempt: &Attempt<'_>, spelled: &str) -> Result<bool> {
    let Some(address) = attempt.address else { return Ok(false) };
    let name = format!("fresh\n{spelled}");
    let here = format!("{name}\n{}", network::of(address));
    // Networks beyond the limit leave nothing behind.
    Ok(FRESH.permits(ledger.store, &name).await?
        && FRESH_HERE.take_noted(ledger, &here).await?
        && FRESH.take_noted(ledger, &name).await?)
}

impl Ticket {
    /// The password was right: along with what `batch` holds, the count of the name begins anew, and the place is
    /// remembered.
    pub fn succeeded<'s>(self, subject: &str, now: Timestamp, mut batch: Batch<'s>) -> Result<Batch<'s>> {
        let Some(name) = self.name else { return Ok(batch) };
        let groups = [everything_of(subject)];
        let until = now + REMEMBERED + FRESHLY_REMEMBERED;
        for place in &self.places {
            batch = batch.put(place, &KnownPlace { since: Some(now) }, &groups, until)?;
        }
        Ok(batch.remove::<Count>(&name))
    }

    /// The password was wrong, or nobody could say so within the time that a login may take: the address is held to
    /// account, too.
    pub async fn failed(self, ledger: Ledger<'_>) -> Result<()> {
        if let Some((name, rule)) = self.name.as_ref().zip(self.counted) {
            keep(ledger, name, rule).await?;
        }
        try_join_all(self.networks.iter().map(|(key, rule)| add(ledger, key, *rule))).await.map(drop)
    }

    /// Nobody could say whether the password was right: the attempt does not count.
    pub async fn withdrawn(self, ledger: Ledger<'_>) -> Result<()> {
        match self.name.zip(self.counted) {
            Some((name, rule)) => give_back(ledger, &name, rule).await,
            None => Ok(()),
        }
    }
}

/// The places of an attempt: this browser and this address, each with the name.
fn places(attempt: &Attempt<'_>, name: &str) -> Vec<String> {
    let browser = attempt.browser.map(|browser| format!("place\n{name}\nbrowser\n{browser}"));
    let address = attempt.address.map(|address| format!("place\n{name}\naddress\n{}", network::of(address)));
    browser.into_iter().chain(address).collect()
}

/// Which of the places are known.
async fn known(store: &Store, places: &[String]) -> Result<Vec<Option<KnownPlace>>> {
    try_join_all(places.iter().map(|place| store.get(place))).await
}

/// How long the next attempt from any of these networks has to wait.
pub(super) async fn waiting_at(store: &Store, networks: &[(String, Rule)], now: Timestamp) -> Result<Duration> {
    let waits = try_join_all(networks.iter().map(|(key, rule)| waiting(store, key, *rule, now))).await?;
    Ok(waits.into_iter().max().unwrap_or_default())
}
