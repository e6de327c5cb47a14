//! Following the other replicas: reading what they changed, and telling them how far this one is.
//!
//! A replica says that it has seen a revision of the news only after it has taken over every change up to it, for every
//! set that it has in memory. A set that it loads later is read after that, and so is at least as new. To make this hold,
//! a ring is put into the map before its set is read: either the news find the ring there, or the read comes after them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use futures_util::{StreamExt, stream};
use tokio::sync::Mutex;
use tracing::{error, warn};

use crate::clock::Timestamp;
use crate::key::key_ring::KeyRing;
use crate::key::policy::{RotationPolicy, period_text};
use crate::key::record::{KeySet, SKEW, StoredKey};
use crate::key::replicas::heartbeat::{HEARTBEAT_LIFE, Heartbeat};
use crate::key::replicas::news::{self, Since};
use crate::key::signer_manager::Shared;
use crate::protocol::error::Unavailable;

/// This replica, as the others see it.
pub struct Presence {
    pub(super) name: String,
    /// Those who say something about it take turns.
    heartbeat: Mutex<Heartbeat>,
    written_at: AtomicI64,
    followed_at: AtomicI64,
    /// The latest that its clock has said.
    latest: AtomicI64,
}

/// After how many seconds a heartbeat is written again although nothing changed.
const BEAT_AFTER: i64 = 30;

/// How many sets are read or changed at the same time.
pub(super) const AT_A_TIME: usize = 16;

/// How often a reader puts back what the store lost, when others do so too.
const ATTEMPTS: usize = 10;

impl Presence {
    /// A replica that has not said yet that it lives.
    pub fn new(name: String, started_at: Timestamp, opens: BTreeSet<String>) -> Self {
        let never = || AtomicI64::new(i64::MIN);
        let heartbeat = Heartbeat {
            replica: name.clone(),
            started_at,
            seen: 0,
            unreadable: BTreeSet::new(),
            opens: Some(opens),
            policy: String::new(),
        };
        Self { name, heartbeat: Mutex::new(heartbeat), written_at: never(), followed_at: never(), latest: never() }
    }

    /// Whether it knows what the others knew a moment ago. A replica that was frozen or cut off for longer than its
    /// heartbeat lives is not waited for, so the key set that it has may lack the key that the others sign with.
    pub fn is_in_touch(&self, now: Timestamp) -> bool {
        let life = HEARTBEAT_LIFE.as_secs().cast_signed();
        (0..=life).contains(&now.0.saturating_sub(self.followed_at.load(Ordering::Relaxed)))
    }

    /// By how much the clock went back since the last time, if that is more than clocks may be apart.
    fn went_back(&self, now: Timestamp) -> Option<Duration> {
        let latest = Timestamp(self.latest.swap(now.0, Ordering::Relaxed));
        Some(latest.since(now)).filter(|span| *span > SKEW)
    }

    fn is_written(&self, now: Timestamp, within: i64) -> bool {
        (0..within).contains(&now.0.saturating_sub(self.written_at.load(Ordering::Relaxed)))
    }
}

impl Shared {
    /// Makes sure that the other replicas count with this one, before it publishes its first set. At that moment it has
    /// nothing in memory, so it has seen everything there is.
    pub(super) async fn ensure_present(&self) -> Result<()> {
        if self.presence.written_at.load(Ordering::Relaxed) != i64::MIN {
            return Ok(());
        }
        let mut heartbeat = self.presence.heartbeat.lock().await;
        if self.presence.written_at.load(Ordering::Relaxed) != i64::MIN {
            return Ok(());
        }
        heartbeat.policy = in_words(&self.settings.policy);
        heartbeat.seen = news::begin(&self.keys.store, self.keys.clock.now()).await?;
        self.presence.followed_at.store(self.keys.clock.now().0, Ordering::Relaxed);
        self.beat(&heartbeat).await
    }

    pub(super) async fn follow_news(&self) -> Result<()> {
        let begun = self.keys.clock.now();
        if let Some(span) = self.presence.went_back(begun) {
            self.tell_of_clock(span, begun);
        }
        self.ensure_present().await?;
        let mut heartbeat = self.presence.heartbeat.lock().await;
        let news = news::read(&self.keys.store).await?;
        let (seen, rings) = match news.since(heartbeat.seen) {
            Since::Nothing => (news.revision, Vec::new()),
            Since::Tenants(changed) => {
                (news.revision, changed.iter().filter_map(|name| self.rings.get(name)).collect())
            }
            Since::Everything => (news.revision, self.rings.values()),
            Since::Lost => {
                warn!("The store has lost writes; what this replica knows of signing keys is put back");
                (
                    news::tell_everything(&self.keys.store, heartbeat.seen, self.keys.clock.now()).await?,
                    self.rings.values(),
                )
            }
        };
        let changed = heartbeat.seen != seen;
        self.reload_all(rings, &mut heartbeat.unreadable).await?;
        heartbeat.seen = seen;
        self.presence.followed_at.store(begun.0, Ordering::Relaxed);
        let is_written = self.presence.is_written(self.keys.clock.now(), BEAT_AFTER);
        if changed || !is_written {
            self.beat(&heartbeat).await?;
        }
        if !is_written {
            self.compare_policies(&Heartbeat::all(&self.keys.store).await?);
        }
        Ok(())
    }

    /// A clock that jumped back makes keys wait that have signed already; other replicas sign with them.
    fn tell_of_clock(&self, span: Duration, now: Timestamp) {
        warn!("The clock of this replica went back by {}", period_text(span));
        for ring in self.rings.values() {
            let Some(snapshot) = ring.snapshot() else { continue };
            let early = |key: &&StoredKey| key.created_at > now || key.signs_from.is_some_and(|at| at > now);
            for key in snapshot.set().keys.iter().filter(early) {
                warn!(tenant = %ring.name, "By this clock, the time of signing key {} is still to come", key.kid());
            }
        }
    }

    async fn beat(&self, heartbeat: &Heartbeat) -> Result<()> {
        let now = self.keys.clock.now();
        heartbeat.beat(&self.keys.store, now).await?;
        self.presence.written_at.store(now.0, Ordering::Relaxed);
        Ok(())
    }

    /// Reads the sets of `rings` again. One that cannot be read is noted and does not hold up the others; the store being
    /// away does.
    async fn reload_all(&self, rings: Vec<Arc<KeyRing>>, unreadable: &mut BTreeSet<String>) -> Result<()> {
        let mut reloads = stream::iter(rings)
            .map(|ring| async move {
                let result = self.reload(&ring).await;
                (ring, result)
            })
            .buffer_unordered(AT_A_TIME);
        while let Some((ring, result)) = reloads.next().await {
            match result {
                Ok(()) if ring.snapshot().is_none_or(|set| set.opens_what_comes()) => {
                    unreadable.remove(&*ring.name);
                }
                // Said where it was tried; what this replica could not sign with has to wait.
                Ok(()) => drop(unreadable.insert(ring.name.to_string())),
                Err(error) if error.is::<Unavailable>() => return Err(error),
                Err(error) => {
                    error!(tenant = %ring.name, "Changed signing keys cannot be read; going on with those in memory: {error:#}");
                    unreadable.insert(ring.name.to_string());
                }
            }
        }
        Ok(())
    }

    /// Reads the set of `ring` again, if it is in use, and puts back what the store has lost of it.
    pub(super) async fn reload(&self, ring: &KeyRing) -> Result<()> {
        let _turn = ring.turn.lock().await;
        self.reload_in_turn(ring).await
    }

    pub(super) async fn reload_in_turn(&self, ring: &KeyRing) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(memory) = ring.snapshot() else { return Ok(()) };
            let loaded = self.keys.load(&ring.name).await?;
            if let Some(loaded) = loaded.as_ref().filter(|loaded| !loaded.record.keys.is_empty())
                && ring.has_slept(self.keys.clock.now())
            {
                ring.install_anyway(loaded.clone(), &self.keys);
                self.log_signing(ring);
                return Ok(());
            }
            let mut set = loaded.as_ref().map_or_else(KeySet::default, |loaded| loaded.record.clone());
            if !set.restore(memory.set(), self.keys.clock.now()) {
                if let Some(loaded) = loaded {
                    ring.install(loaded, &self.keys);
                    self.log_signing(ring);
                    self.tell_orders(ring, memory.set()).await;
                }
                return Ok(());
            }
            let before = loaded.as_ref().map_or(memory.set(), |loaded| &loaded.record);
            self.replace_silenced(ring, &mut set, before).await?;
            if self.keys.replace(&ring.name, loaded.as_ref(), set).await? {
                warn!(tenant = %ring.name, "Signing keys that the store had lost are back");
                news::tell(&self.keys.store, &ring.name).await?;
            }
        }
        bail!("the signing keys of tenant {} change too fast; tried {ATTEMPTS} times", ring.name)
    }

    /// Gives `set` a key for each algorithm that `before` had one for and that nobody can sign with any more.
    async fn replace_silenced(&self, ring: &KeyRing, set: &mut KeySet, before: &KeySet) -> Result<()> {
        for algorithm in set.silenced(before, self.keys.clock.now()) {
            self.keys.ensure_trusted(&ring.name, set)?;
            let grace = ring.plan.load().policy.grace.as_secs();
            let key = self.keys.make_first(&ring.name, algorithm, grace).await?;
            warn!(tenant = %ring.name, "All signing keys for {algorithm} were withdrawn; {} signs at once", key.kid());
            set.keys.push(key);
        }
        Ok(())
    }

    /// The living replicas. None, so that every key goes on waiting, for
    /// as long as some of them may not be there again after a loss.
    pub(super) async fn replicas(&self) -> Result<Vec<Heartbeat>> {
        if !news::read(&self.keys.store).await?.are_settled(self.keys.clock.now()) {
            return Ok(Vec::new());
        }
        Heartbeat::all(&self.keys.store).await
    }

    fn compare_policies(&self, heartbeats: &[Heartbeat]) {
        let ours = in_words(&self.settings.policy);
        for other in heartbeats.iter().filter(|beat| beat.policy != ours) {
            let (replica, theirs) = (&other.replica, &other.policy);
            warn!(replica, "Another replica has {theirs} for all tenants; this one has {ours}");
        }
    }

    pub(super) async fn retire(&self) {
        for ring in self.rings.values() {
            if let Err(error) = self.write_expiries(&ring).await {
                warn!(tenant = %ring.name, "The last expiry of signed tokens could not be written down: {error:#}");
                break;
            }
        }
        let heartbeat = self.presence.heartbeat.lock().await;
        if let Err(error) = heartbeat.stop(&self.keys.store).await {
            let life = period_text(HEARTBEAT_LIFE);
            warn!("This replica could not say good-bye; the others wait for it up to {life}: {error:#}");
        }
    }
}

fn in_words(policy: &RotationPolicy) -> String {
    let RotationPolicy { rotate_every, announce, grace, jwks_max_age } = policy;
    let [rotate_every, announce, grace, jwks_max_age] =
        [rotate_every, announce, grace, jwks_max_age].map(|span| period_text(*span));
    format!("rotate_every: {rotate_every}, announce: {announce}, grace: {grace}, jwks_max_age: {jwks_max_age}")
}
