//! The changes of a set of keys. Each function is one change, made on a copy and stored by compare-and-set.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::key::record::{KeySet, LAG, StoredKey};
use crate::key::rotation::Step;
use crate::protocol::jwk::Algorithm;

/// How many names of removed keys are remembered: years of rotations.
const REMEMBERED: usize = 32;

impl KeySet {
    /// Carries out `step`, as far as it concerns only the set; answers whether something changed.
    /// [`Step::Generate`] and [`Step::Publish`] need more: see [`Self::keys`] and [`Self::publish`].
    pub fn apply(&mut self, step: &Step, grace: u64, now: Timestamp) -> bool {
        match step {
            Step::Schedule { kid, signs_from } => self.schedule(kid, *signs_from),
            Step::Retire(kid) => self.key_mut(kid).map(|key| key.retire_at_once(now)).is_some(),
            Step::Promise => self.promise(grace),
            Step::Drop { private, keys } => self.clean(private, keys),
            Step::Keep | Step::Generate(_) | Step::Publish(_) => false,
        }
    }

    /// Records that the news of `revision` announced `kid` to all replicas.
    pub fn publish(&mut self, kid: &str, revision: u64) -> bool {
        match self.key_mut(kid) {
            Some(key) if key.announced_revision.is_none() => {
                key.announced_revision = Some(revision);
                true
            }
            _ => false,
        }
    }

    /// Records that a token signed with `kid` lives until `expires_at`.
    pub fn raise_last_expiry(&mut self, kid: &str, expires_at: Timestamp) -> bool {
        match self.key_mut(kid) {
            Some(key) if key.last_expiry.is_none_or(|last| last < expires_at) => {
                key.last_expiry = Some(expires_at);
                true
            }
            _ => false,
        }
    }

    /// The announced key that would sign next with `algorithm`, if there is one.
    pub fn coming(&self, algorithm: Algorithm, now: Timestamp) -> Option<&StoredKey> {
        let coming = self.keys.iter().filter(|key| key.algorithm() == algorithm && key.is_coming(now));
        // One with a date before one without.
        coming.min_by_key(|key| (key.signs_from.is_none(), key.signs_from, key.created_at, key.kid()))
    }

    /// Lets the announced key `kid` sign at once, without waiting for the replicas. Verifiers that cache the JWKS may meet
    /// it before they know it: for operators who accept that.
    pub fn start_at_once(&mut self, kid: &str, now: Timestamp) -> bool {
        let Some(key) = self.key_mut(kid) else { return false };
        (key.signs_from, key.at_once) = (Some(now), true);
        let algorithm = key.algorithm();
        for key in self.keys.iter_mut().filter(|key| key.algorithm() == algorithm && key.kid() != kid) {
            if key.signs_from.is_some_and(|from| from <= now) && key.retired_at.is_none_or(|at| at > now) {
                key.retire_at_once(now);
            }
        }
        true
    }

    /// Withdraws `kid`: it is published no more, and nothing that it signed is believed. If it was due to sign, its
    /// predecessor goes on. If it signs now, another key has to take its place: see [`Self::start_at_once`].
    pub fn revoke(&mut self, kid: &str, now: Timestamp) -> bool {
        let Some(key) = self.key_mut(kid).filter(|key| key.revoked_at.is_none()) else { return false };
        key.revoked_at = Some(now);
        key.private = None;
        let (algorithm, signs_from) = (key.algorithm(), key.signs_from);
        if signs_from.is_some_and(|from| from > now) {
            self.unretire(algorithm, signs_from);
        }
        true
    }

    fn schedule(&mut self, kid: &str, signs_from: Timestamp) -> bool {
        let Some(key) = self.key_mut(kid).filter(|key| key.is_unscheduled()) else { return false };
        key.signs_from = Some(signs_from);
        let algorithm = key.algorithm();
        for key in self.keys.iter_mut().filter(|key| key.algorithm() == algorithm && key.kid() != kid) {
            if key.signs_from.is_some() && key.retired_at.is_none() && key.revoked_at.is_none() {
                key.retired_at = Some(signs_from);
            }
        }
        true
    }

    pub(super) fn unretire(&mut self, algorithm: Algorithm, retired_at: Option<Timestamp>) {
        for key in self.keys.iter_mut().filter(|key| key.algorithm() == algorithm && key.retired_at == retired_at) {
            key.retired_at = None;
        }
    }

    fn promise(&mut self, grace: u64) -> bool {
        let mut promised = false;
        for key in self.keys.iter_mut().filter(|key| key.grace < grace) {
            key.grace = grace;
            promised = true;
        }
        promised
    }

    fn clean(&mut self, private: &[String], keys: &[String]) -> bool {
        for key in self.keys.iter_mut().filter(|key| private.contains(&key.public.kid)) {
            key.private = None;
        }
        self.keys.retain(|key| !keys.contains(&key.public.kid));
        self.removed.extend_from_slice(keys);
        self.removed.drain(..self.removed.len().saturating_sub(REMEMBERED));
        true
    }

    pub(super) fn key_mut(&mut self, kid: &str) -> Option<&mut StoredKey> {
        self.keys.iter_mut().find(|key| key.kid() == kid)
    }
}

impl StoredKey {
    /// Stops signing at `now`; replicas that do not know it yet may go on for up to [`LAG`].
    pub(super) fn retire_at_once(&mut self, now: Timestamp) {
        self.retired_at = Some(now);
        let latest = now + LAG + Duration::from_secs(self.grace);
        self.last_expiry = self.last_expiry.max(Some(latest));
    }
}
