//! Carrying out what the policy decides, one step after the other.

use std::sync::Arc;

use anyhow::Result;
use futures_util::{StreamExt, stream};
use tracing::{error, info, warn};

use crate::audit;
use crate::clock::Timestamp;
use crate::key::key_ring::KeyRing;
use crate::key::keychain::{AT_A_TIME, Keychain};
use crate::key::plan::Plan;
use crate::key::record::{KeySet, StoredKey};
use crate::key::replicas::heartbeat::Heartbeat;
use crate::key::replicas::news;
use crate::key::replicas::progress::Replicas;
use crate::key::rotation::Step;
use crate::key::snapshot::Snapshot;
use crate::protocol::error::Unavailable;

/// More steps than one tick ever needs; the next tick goes on.
const STEPS: usize = 10;

impl Keychain {
    /// Carries out what the policy decides, for the rings in use.
    pub(in crate::key) async fn tick(&self) -> Result<()> {
        let now = self.keys.clock.now();
        let rings = self.rings_in_use();
        let waiting = |ring: &Arc<KeyRing>| {
            ring.snapshot().is_some_and(|set| set.set().keys.iter().any(|key| key.is_unscheduled()))
        };
        let due = |ring: &Arc<KeyRing>| !matches!(self.step(ring, &Replicas::default(), now), Step::Keep);
        // The heartbeats are read only if some key waits for the replicas, or is about to.
        let is_needed = rings.iter().any(|ring| waiting(ring) || due(ring));
        let heartbeats = if is_needed { self.replicas().await? } else { Vec::new() };
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
                Err(error) => {
                    error!(tenant = %ring.name, cause = format!("{error:#}"), "the signing keys could not be looked after");
                }
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
        self.keep_hs256(ring).await?;
        self.seal_again(ring).await?;
        self.note_access(ring).await?;
        let replicas = Replicas::of(heartbeats, &ring.name);
        let before = ring.snapshot();
        for _ in 0..STEPS {
            let now = self.keys.clock.now();
            let step = self.step(ring, &replicas, now);
            if step == Step::Keep || !self.carry_out(ring, &step, &replicas, now).await? {
                break;
            }
        }
        // The heartbeats were read before this tick, so they cannot confirm a key that it announced.
        self.log_waiting(ring, before.as_deref(), &replicas);
        self.log_signing(ring);
        Ok(())
    }

    /// Lets the keys of `ring` sign for as long as its tenant wants now, without waiting for the next tick.
    pub(in crate::key) async fn promise(&self, ring: &KeyRing) {
        let (now, replicas) = (self.keys.clock.now(), Replicas::default());
        if self.step(ring, &replicas, now) == Step::Promise
            && let Err(error) = self.carry_out(ring, &Step::Promise, &replicas, now).await
        {
            let cause = format!("{error:#}");
            warn!(tenant = %ring.name, cause, "longer tokens have to wait for the next look at the keys");
        }
    }

    /// What the policy decides on the set in memory.
    fn step(&self, ring: &KeyRing, replicas: &Replicas, now: Timestamp) -> Step {
        let plan = ring.plan.load();
        ring.snapshot().map_or(Step::Keep, |set| plan.policy.step(set.set(), &plan.algorithms, replicas, now))
    }

    /// Carries `step` out, if it is still the next one for the set in the store; answers whether it was.
    async fn carry_out(&self, ring: &KeyRing, step: &Step, replicas: &Replicas, now: Timestamp) -> Result<bool> {
        let Plan { policy, algorithms, .. } = &**ring.plan.load();
        let is_next = |set: &KeySet| policy.step(set, algorithms, replicas, now) == *step;
        let grace = policy.grace.as_secs();
        match step {
            Step::Generate(algorithm) => {
                // Another replica may have made it already, and making one is expensive.
                self.reload(ring).await?;
                let Some(snapshot) = ring.snapshot().filter(|set| is_next(set.set())) else { return Ok(true) };
                self.keys.custody.ensure_trusted(&ring.name, snapshot.set())?;
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
                    info!(tenant = %ring.name, kid = key.kid(), "announcing the next signing key");
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
                    before.iter().for_each(|before| self.report_rotation(ring, before.set(), step, now));
                    log_step(&ring.name, step);
                    news::tell(&self.keys.store, &ring.name).await?;
                }
                Ok(changed)
            }
        }
    }

    /// Logs which replicas a key waits for that was announced `before` this tick.
    fn log_waiting(&self, ring: &KeyRing, before: Option<&Snapshot>, replicas: &Replicas) {
        let Some(snapshot) = ring.snapshot() else { return };
        let was_announced = |key: &&StoredKey| {
            before.and_then(|set| set.set().key(key.kid())).is_some_and(|key| key.announced_revision.is_some())
        };
        let mut unconfirmed = 0;
        for key in snapshot.set().keys.iter().filter(|key| key.is_unscheduled()).filter(was_announced) {
            let behind = replicas.behind(key);
            if !behind.is_empty() {
                let (tenant, kid, replicas) = (&*ring.name, key.kid(), behind.join(", "));
                warn!(
                    tenant,
                    kid, replicas, "signing key waits for these replicas to publish it, or to be able to open it"
                );
            }
            unconfirmed = unconfirmed.max(behind.len());
        }
        ring.set_unconfirmed(unconfirmed);
    }

    /// Counts and audits a change of the signing key, with its reason.
    fn report_rotation(&self, ring: &KeyRing, before: &KeySet, step: &Step, now: Timestamp) {
        let Step::Schedule { kid, .. } = step else { return };
        let signing = before.key(kid).and_then(|next| before.signing(next.algorithm(), now));
        let reason = match signing {
            None => "algorithm",
            Some(signing) if ring.plan.load().policy.is_due(signing, now) => "due",
            Some(_) => "operator",
        };
        self.count_rotation(ring, reason);
        audit::key_rotated(ring.name.as_ref(), kid, reason);
    }
}

fn log_step(tenant: &str, step: &Step) {
    match step {
        Step::Schedule { kid, signs_from } => {
            info!(tenant, kid, %signs_from, "signing key will be used from this time on");
        }
        Step::Retire(kid) => info!(tenant, kid, "signing key is retired"),
        Step::Drop { private, keys } => {
            for kid in private {
                info!(tenant, kid, "the private half of this signing key is erased");
            }
            for kid in keys {
                info!(tenant, kid, "signing key is removed; nothing that it signed can still be valid");
            }
        }
        Step::Keep | Step::Generate(_) | Step::Publish(_) | Step::Promise => {}
    }
}
