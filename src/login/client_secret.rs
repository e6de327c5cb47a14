//! Guessing client secrets is slow, as guessing passwords is: wrong ones are counted per client and network, and per
//! network, for all replicas. A client is not slowed down where nobody guesses: strangers elsewhere cannot lock it out.
//!
//! Clients come often and with the right secret, so nothing is read from the store for them: a replica looks at the counts
//! that it wrote itself, and learns those of the others with the first wrong secret that it sees.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;

use super::attempt_count::{Count, Rule, add};
use super::ledger::Ledger;
use super::network;
use super::password::PasswordChecker;
use super::throttle::ThrottlePolicy;
use crate::recent::Recent;
use crate::registry::client::Client;
use crate::store::Store;

/// How many counts a replica remembers.
const KEPT: usize = 10_000;

/// What is known of a presented secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the client's.
    Right,
    /// It is not.
    Wrong,
    /// Too many wrong ones came from there; nothing was compared.
    Wait(Duration),
}

/// Compares client secrets, and counts the wrong ones. Cheap to clone.
#[derive(Clone)]
pub struct SecretChecker {
    passwords: PasswordChecker,
    known: Arc<Recent<String, Count>>,
}

/// The counts that a wrong secret of `client` from one address goes to.
struct Counts {
    /// The tenant, because what is known in memory is of all tenants.
    tenant: Arc<str>,
    /// That of the client in its network, then those of the networks.
    rules: Vec<(String, Rule)>,
}

impl SecretChecker {
    /// A checker that computes at the gates of `passwords`.
    pub fn new(passwords: PasswordChecker) -> Self {
        Self { passwords, known: Arc::new(Recent::keeping(KEPT)) }
    }

    /// Whether `client` presented its secret, from `address` if that is known and its own.
    ///
    /// Errors: the store is unavailable, or too many wait for a comparison.
    pub async fn check(
        &self,
        ledger: Ledger<'_>,
        policy: ThrottlePolicy,
        client: &Client,
        presented: String,
        address: Option<IpAddr>,
    ) -> Result<Verdict> {
        let Some(secret) = &client.secret else { return Ok(Verdict::Wrong) };
        let counts = address.filter(|_| policy.enabled).map(|address| Counts::of(policy, client, address));
        // The place comes first: whoever waited for it meanwhile was overtaken by the counts of those before.
        let place = if secret.is_slow() { Some(self.passwords.place_for_client().await?) } else { None };
        let wait = counts.as_ref().map(|counts| self.waiting(counts, ledger)).unwrap_or_default();
        if !wait.is_zero() {
            return Ok(Verdict::Wait(wait));
        }
        let right = match place {
            Some(place) => self.passwords.compare(secret.clone(), presented, place).await,
            None => secret.verify(&presented),
        };
        match counts {
            Some(counts) if right => self.forget(ledger.store, &counts).await?,
            Some(counts) => self.count(ledger, counts).await?,
            None => {}
        }
        Ok(if right { Verdict::Right } else { Verdict::Wrong })
    }

    fn waiting(&self, counts: &Counts, ledger: Ledger<'_>) -> Duration {
        let wait = |(key, rule): &(String, Rule)| Some(self.known.get(&counts.known_as(key))?.wait(ledger.now, *rule));
        counts.rules.iter().filter_map(wait).max().unwrap_or_default()
    }

    /// In memory at once, so that none of many at the same time is missed; then for all replicas.
    async fn count(&self, ledger: Ledger<'_>, counts: Counts) -> Result<()> {
        for (key, rule) in &counts.rules {
            let key = counts.known_as(key);
            let count = Count::after(self.known.get(&key).as_ref(), ledger.now, *rule);
            self.known.insert(key, count);
        }
        let added = try_join_all(counts.rules.iter().map(|(key, rule)| add(ledger, key, *rule))).await?;
        for ((key, _), stored) in counts.rules.iter().zip(added) {
            let key = counts.known_as(key);
            let count = self.known.get(&key).map_or(stored.clone(), |own| own.greater(stored));
            self.known.insert(key, count);
        }
        Ok(())
    }

    /// The right secret ends the count of the client in its network.
    async fn forget(&self, store: &Store, counts: &Counts) -> Result<()> {
        let Some((key, _)) = counts.rules.first() else { return Ok(()) };
        if self.known.remove(&counts.known_as(key)).is_some() {
            store.remove::<Count>(key).await?;
        }
        Ok(())
    }
}

impl Counts {
    fn of(policy: ThrottlePolicy, client: &Client, address: IpAddr) -> Self {
        let own = format!("secret\n{}\n{}", client.ident, network::of(address));
        let networks = policy.of_networks("secrets", address);
        let rules = [(own, policy.of_name())].into_iter().chain(networks).collect();
        Self { tenant: client.tenant.clone(), rules }
    }

    fn known_as(&self, key: &str) -> String {
        format!("{}\n{key}", self.tenant)
    }
}
