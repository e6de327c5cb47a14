//! Following the other replicas: reading what they changed, and telling them how far this one is.
//!
//! A replica says that it has seen a revision of the news only after it has taken over every change up to it, for every
//! set that it has in memory. A set that it loads later is read after that, and so is at least as new. To make this hold,
//! a ring is put into the map before its set is read: either the news find the ring there, or the read comes after them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use futures_util::{StreamExt, stream};
use tracing::{error, info, warn};

use crate::clock::Timestamp;
use crate::key::key_ring::KeyRing;
use crate::key::keychain::{AT_A_TIME, Keychain};
use crate::key::policy::RotationPolicy;
use crate::key::record::StoredKey;
use crate::key::replicas::heartbeat::{HEARTBEAT_LIFE, Heartbeat};
use crate::key::replicas::news::{self, Since};
use crate::protocol::duration;
use crate::protocol::error::Unavailable;

impl Keychain {
    /// Announces this replica to the others, before it publishes its first set. At that moment it has nothing in memory,
    /// so it has seen everything there is.
    pub(super) async fn ensure_announced(&self) -> Result<()> {
        if self.presence.is_announced() {
            return Ok(());
        }
        let mut heartbeat = self.presence.heartbeat().await;
        if self.presence.is_announced() {
            return Ok(());
        }
        heartbeat.policy = in_words(&self.settings.policy);
        heartbeat.seen = news::begin(&self.keys.store, self.keys.clock.now()).await?;
        self.presence.note_followed(self.keys.clock.now());
        self.presence.beat(&heartbeat, &self.keys.store, self.keys.clock.now()).await
    }

    /// Takes over what other replicas changed, and beats. Logs once that the store is away, and once that it is back.
    pub(in crate::key) async fn follow_news(&self) -> Result<()> {
        let result = self.take_over_news().await;
        let is_away = result.as_ref().is_err_and(|error| error.is::<Unavailable>());
        self.keys.metrics.store_up.set(i64::from(!is_away));
        match &result {
            Err(error) if !self.is_behind.swap(true, Ordering::Relaxed) => {
                let cause = format!("{error:#}");
                warn!(cause, "signing keys cannot be kept up with the store; signing goes on from memory");
            }
            Ok(()) if self.is_behind.swap(false, Ordering::Relaxed) => {
                info!("signing keys are kept up with the store again");
            }
            _ => {}
        }
        result
    }

    async fn take_over_news(&self) -> Result<()> {
        let begun = self.keys.clock.now();
        if let Some(span) = self.presence.went_back(begun) {
            self.warn_of_clock(span, begun);
        }
        self.ensure_announced().await?;
        let mut heartbeat = self.presence.heartbeat().await;
        let news = news::read(&self.keys.store).await?;
        let mut seen = news.revision;
        let rings = match news.since(heartbeat.seen) {
            Since::Nothing => Vec::new(),
            Since::Tenants(changed) => changed.iter().filter_map(|name| self.rings.get(name)).collect(),
            Since::Everything => self.rings.values(),
            Since::Lost => {
                warn!("the store has lost writes; what this replica knows of signing keys is put back");
                seen = news::tell_everything(&self.keys.store, heartbeat.seen, self.keys.clock.now()).await?;
                self.rings.values()
            }
        };
        let changed = heartbeat.seen != seen;
        self.reload_all(rings, &mut heartbeat.unreadable).await?;
        heartbeat.seen = seen;
        self.presence.note_followed(begun);
        if self.presence.is_meeting_due(self.keys.clock.now()) {
            self.meet_replicas().await?;
        }
        let is_due = self.presence.is_beat_due(self.keys.clock.now());
        if changed || is_due || self.presence.has_met_older_anew() {
            self.presence.beat(&heartbeat, &self.keys.store, self.keys.clock.now()).await?;
        }
        if is_due {
            self.compare_policies(&Heartbeat::all(&self.keys.store).await?);
        }
        Ok(())
    }

    /// A clock that jumped back makes keys wait that have signed already; other replicas sign with them.
    fn warn_of_clock(&self, span: Duration, now: Timestamp) {
        warn!("the clock of this replica went back by {}", duration::write(span));
        for ring in self.rings.values() {
            let Some(snapshot) = ring.snapshot() else { continue };
            let early = |key: &&StoredKey| key.created_at > now || key.signs_from.is_some_and(|at| at > now);
            for key in snapshot.set().keys.iter().filter(early) {
                let kid = key.kid();
                warn!(tenant = %ring.name, kid, "by this clock, the time of this signing key is still to come");
            }
        }
    }

    /// Reads the sets of `rings` again. One that cannot be read is noted and does not hold up the others; an unavailable
    /// store does.
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
                // Logged when it failed to open; a key that this replica could not sign with has to wait.
                Ok(()) => drop(unreadable.insert(ring.name.to_string())),
                Err(error) if error.is::<Unavailable>() => return Err(error),
                Err(error) => {
                    let (tenant, cause) = (&*ring.name, format!("{error:#}"));
                    error!(tenant, cause, "changed signing keys cannot be read; going on with those in memory");
                    unreadable.insert(ring.name.to_string());
                }
            }
        }
        Ok(())
    }

    /// Looks who else lives, and which newer forms all of them understand. After a loss that stays what it was, until all
    /// have announced themselves again.
    pub(in crate::key) async fn meet_replicas(&self) -> Result<()> {
        if let Some(living) = self.living().await? {
            self.presence.meet(&living, self.keys.clock.now());
        }
        Ok(())
    }

    /// The living replicas. None while some may not have announced themselves again after a loss, so that every key goes
    /// on waiting.
    pub(super) async fn replicas(&self) -> Result<Vec<Heartbeat>> {
        Ok(self.living().await?.unwrap_or_default())
    }

    /// The living replicas; `None` while that is not known.
    async fn living(&self) -> Result<Option<Vec<Heartbeat>>> {
        if !news::read(&self.keys.store).await?.are_settled(self.keys.clock.now()) {
            return Ok(None);
        }
        Heartbeat::all(&self.keys.store).await.map(Some)
    }

    fn compare_policies(&self, heartbeats: &[Heartbeat]) {
        let ours = in_words(&self.settings.policy);
        for other in heartbeats.iter().filter(|beat| beat.policy != ours) {
            let (replica, theirs) = (&other.replica, &other.policy);
            warn!(replica, theirs, ours, "another replica has another key policy for all tenants");
        }
    }

    /// Records what is still in memory and removes the heartbeat, at shutdown.
    pub(in crate::key) async fn retire(&self) {
        for ring in self.rings.values() {
            if let Err(error) = self.write_expiries(&ring).await {
                let (tenant, cause) = (&*ring.name, format!("{error:#}"));
                warn!(tenant, cause, "the last expiry of signed tokens could not be written down");
                break;
            }
        }
        let heartbeat = self.presence.heartbeat().await;
        if let Err(error) = heartbeat.stop(&self.keys.store).await {
            let (cause, life) = (format!("{error:#}"), duration::write(HEARTBEAT_LIFE));
            warn!(cause, "this replica could not say good-bye; the others wait for it up to {life}");
        }
    }
}

fn in_words(policy: &RotationPolicy) -> String {
    let RotationPolicy { rotate_every, announce, grace, jwks_max_age } = policy;
    let [rotate_every, announce, grace, jwks_max_age] =
        [rotate_every, announce, grace, jwks_max_age].map(|span| duration::write(*span));
    format!("rotate_every: {rotate_every}, announce: {announce}, grace: {grace}, jwks_max_age: {jwks_max_age}")
}
