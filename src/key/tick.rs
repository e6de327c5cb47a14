//! Carrying out what the policy decides, one step after the other.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use futures_util::{StreamExt, stream};
use tracing::{error, info, warn};

use crate::audit;
use crate::clock::Timestamp;
use crate::key::follow::AT_A_TIME;
use crate::key::key_ring::{KeyRing, Plan};
use crate::key::news::{self, Heartbeat};
use crate::key::record::{KeySet, StoredKey};
use crate::key::rotation::{Replicas, Step};
use crate::key::signer_manager::Shared;
use crate::key::snapshot::Snapshot;
use crate::metrics::Rotation;
use crate::protocol::error::Unavailable;

/// More steps than one tick ever needs; the rest is for the next one.
const STEPS: usize = 10;

/// How far ahead the last expiry is written down, so that a busy tenant writes once per hour and not at each tick.
const AHEAD: Duration = Duration::from_secs(60 * 60);

impl Shared {
    pub(super) async fn tick(&self) -> Result<()> {
        let now = self.keys.clock.now();
        let rings: Vec<Arc<KeyRing>> =
            self.rings.values().into_iter().filter(|ring| ring.snapshot().is_some()).collect();
        let waiting = |ring: &Arc<KeyRing>| {
            ring.snapshot().is_some_and(|set| set.set().keys.iter().any(|key| key.is_unscheduled()))
        };
        let due = |ring: &Arc<KeyRing>| !matches!(self.step(ring, &Replicas::default(), now), Step::Keep);
        // Nobody is asked who lives unless some key waits for them, or is about to.
        let heartbeats = match rings.iter().any(|ring| waiting(ring) || due(ring)) {
            true => self.replicas().await?,
            false => Vec::new(),
        };
        let heartbeats = heartbeats.as_slice();
        let mut ticks = stream::iter(rings)
            .map(|ring| async move {
                let result = self.tick_ring(&ring, heartbeats).await;
                (ring, result)
            })
            .buffer_unordered(AT_A_TIME);
        while let Some((ring, result)) = ticks.next().await {
            match result {
                Err(error) if error.is::<Unavailable>() => return Err(error),
                Err(error) => error!(tenant = %ring.name, "The signing keys could not be looked after: {error:#}"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn tick_ring(&self, ring: &KeyRing, heartbeats: &[Heartbeat]) -> Result<()> {
        let other_grace = ring.snapshot().is_some_and(|set| set.grace() != ring.plan.load().policy.grace);
        if other_grace || ring.is_stale(self.keys.clock.now()) {
            self.reload(ring).await?;
        }
        self.write_expiries(ring).await?;
        self.seal_again(ring).await?;
        let replicas = Replicas::of(heartbeats, &ring.name);
        let told = ring.snapshot();
        for _ in 0..STEPS {
            let now = self.keys.clock.now();
            let step = self.step(ring, &replicas, now);
            if step == Step::Keep || !self.carry_out(ring, &step, &replicas, now).await? {
                break;
            }
        }
        // What was told in this very tick, nobody can have confirmed when the heartbeats were read.
        self.log_waiting(ring, told.as_deref(), &replicas);
        self.log_signing(ring);
        Ok(())
    }

    /// What the policy decides on the set in memory.
    fn step(&self, ring: &KeyRing, replicas: &Replicas, now: Timestamp) -> Step {
        let plan = ring.plan.load();
        ring.snapshot().map_or(Step::Keep, |set| plan.policy.step(set.set(), &plan.algorithms, replicas, now))
    }

    /// Carries `step` out, if it is still the next one for the set in the store; answers whether it was.
    async fn carry_out(&self, ring: &KeyRing, step: &Step, replicas: &Replicas, now: Timestamp) -> Result<bool> {
        let Plan { policy, algorithms } = &**ring.plan.load();
        let is_next = |set: &KeySet| policy.step(set, algorithms, replicas, now) == *step;
        let grace = policy.grace.as_secs();
        match step {
            Step::Generate(algorithm) => {
                // Somebody else may have made it already, and making one is dear.
                self.reload(ring).await?;
                if !ring.snapshot().is_some_and(|set| is_next(set.set())) {
                    return Ok(true);
                }
                self.ensure_trusted(ring)?;
                let key = self.keys.make(&ring.name, *algorithm, grace).await?;
                let changed = self
                    .change(ring, |set| {
                        is_next(set) && {
                            set.keys.push(key.clone());
                            true
                        }
                    })
                    .await?;
                if changed {
                    info!(tenant = %ring.name, "Announcing the next signing key {}", key.kid());
                }
                Ok(true)
            }
            Step::Publish(kid) => {
                let revision = news::tell(&self.keys.store, &ring.name).await?;
                self.change(ring, |set| set.publish(kid, revision)).await?;
                Ok(true)
            }
            _ => {
                let before = ring.snapshot();
                let changed = self.change(ring, |set| is_next(set) && set.apply(step, grace, now)).await?;
                if changed {
                    before.iter().for_each(|before| self.tell_rotation(ring, before.set(), step, now));
                    log_step(&ring.name, step);
                    news::tell(&self.keys.store, &ring.name).await?;
                }
                Ok(changed)
            }
        }
    }

    /// A replica that cannot open the keys that are there would make keys that the others cannot open.
    fn ensure_trusted(&self, ring: &KeyRing) -> Result<()> {
        let snapshot = ring.snapshot();
        let mut keys = snapshot.iter().flat_map(|snapshot| &snapshot.set().keys);
        let strange = |key: &&StoredKey| key.private.as_ref().is_some_and(|half| !self.keys.sealer.knows(half));
        match keys.find(strange) {
            Some(key) => bail!(
                "no signing key is made for tenant {}, because {} is sealed with a secret that is not in SIGNING_KEY_SECRET",
                ring.name,
                key.kid()
            ),
            None => Ok(()),
        }
    }

    /// Changes the stored set of `ring` and takes over what is stored afterwards; answers whether this replica did it.
    async fn change(&self, ring: &KeyRing, mut change: impl FnMut(&mut KeySet) -> bool) -> Result<bool> {
        let _turn = ring.turn.lock().await;
        match self.keys.update(&ring.name, |set| Ok(change(set))).await? {
            Some((loaded, changed)) => {
                ring.install(loaded, &self.keys);
                Ok(changed)
            }
            None => {
                self.reload_in_turn(ring).await?;
                Ok(false)
            }
        }
    }

    /// Writes down how long the tokens live that this replica signed. No token's safety depends on it (see the module);
    /// it tells people when a key is really done with.
    pub(super) async fn write_expiries(&self, ring: &KeyRing) -> Result<()> {
        let unwritten = ring.snapshot().map(|set| set.unwritten_expiries()).unwrap_or_default();
        if !unwritten.is_empty() {
            let raise = |set: &mut KeySet| {
                unwritten
                    .iter()
                    .fold(false, |raised, (kid, latest)| set.raise_last_expiry(kid, *latest + AHEAD) || raised)
            };
            self.change(ring, raise).await?;
        }
        Ok(())
    }

    /// Seals private halves with the first secret that are sealed with another one, or not at all.
    async fn seal_again(&self, ring: &KeyRing) -> Result<()> {
        let sealer = &self.keys.sealer;
        let outdated = |set: &KeySet| {
            set.keys
                .iter()
                .any(|key| key.private.as_ref().is_some_and(|half| sealer.is_outdated(half) && sealer.knows(half)))
        };
        if !ring.snapshot().is_some_and(|set| outdated(set.set())) {
            return Ok(());
        }
        let _turn = ring.turn.lock().await;
        let sealed = self.keys.update(&ring.name, |set| self.keys.seal_again(&ring.name, set)).await?;
        if let Some((loaded, changed)) = sealed {
            ring.install(loaded, &self.keys);
            if changed {
                info!(tenant = %ring.name, "Signing keys are sealed with the first of the secrets now");
            }
        }
        Ok(())
    }

    /// Says which replicas a new key waits for.
    fn log_waiting(&self, ring: &KeyRing, told: Option<&Snapshot>, replicas: &Replicas) {
        let Some(snapshot) = ring.snapshot() else { return };
        let was_told = |key: &&StoredKey| {
            told.and_then(|set| set.set().key(key.kid())).is_some_and(|key| key.announced_revision.is_some())
        };
        let mut unconfirmed = 0;
        for key in snapshot.set().keys.iter().filter(|key| key.is_unscheduled()).filter(was_told) {
            let behind = key.announced_revision.map(|revision| replicas.behind(revision)).unwrap_or_default();
            if !behind.is_empty() {
                let names = behind.join(", ");
                warn!(tenant = %ring.name, "Signing key {} waits for these replicas to publish it: {names}", key.kid());
            }
            unconfirmed = unconfirmed.max(behind.len());
        }
        ring.set_unconfirmed(unconfirmed);
    }

    /// Counts a change of the signing key and writes it down for an audit, with why it came.
    fn tell_rotation(&self, ring: &KeyRing, before: &KeySet, step: &Step, now: Timestamp) {
        let Step::Schedule { kid, .. } = step else { return };
        let signing = before.key(kid).and_then(|next| before.signing(next.algorithm(), now));
        let reason = match signing {
            None => "algorithm",
            Some(signing) if ring.plan.load().policy.is_due(signing, now) => "due",
            Some(_) => "operator",
        };
        self.keys.metrics.key_rotations.get_or_create(&Rotation { tenant: ring.name.to_string(), reason }).inc();
        audit::key_rotated(ring.name.as_ref(), kid, reason);
    }
}

fn log_step(tenant: &str, step: &Step) {
    match step {
        Step::Schedule { kid, signs_from } => info!(tenant, "Signing key {kid} will be used from {signs_from} on"),
        Step::Retire(kid) => info!(tenant, "Signing key {kid} is retired"),
        Step::Drop { private, keys } => {
            for kid in private {
                info!(tenant, "The private half of signing key {kid} is erased");
            }
            for kid in keys {
                info!(tenant, "Signing key {kid} is removed; nothing that it signed can still be valid");
            }
        }
        Step::Keep | Step::Generate(_) | Step::Publish(_) | Step::Promise => {}
    }
}
