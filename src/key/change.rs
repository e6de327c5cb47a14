//! What may happen to a set of keys. Each function is one change, made on a copy and stored by compare-and-set.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::key::record::{KeySet, LAG, StoredKey};
use crate::key::rotation::Step;
use crate::protocol::jwk::Algorithm;

/// How many names of removed keys are remembered: years of rotations.
const REMEMBERED: usize = 32;

impl KeySet {
    /// Carries out `step`, as far as it needs nothing but the set; answers whether something changed.
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

    /// Writes down that the news of `revision` told all replicas of `kid`.
    pub fn publish(&mut self, kid: &str, revision: u64) -> bool {
        match self.key_mut(kid) {
            Some(key) if key.announced_revision.is_none() => {
                key.announced_revision = Some(revision);
                true
            }
            _ => false,
        }
    }

    /// Notes that something signed with `kid` lives until `expires_at`.
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

    /// Lets the announced key `kid` sign at once, without waiting for anybody. Verifiers that cache the JWKS may meet it
    /// before they know it: for operators who accept that.
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
    /// predecessor goes on. If it signs now, somebody has to take its place: see [`Self::start_at_once`].
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

    /// Takes what `memory` knows and this set, out of the store, has lost: a store that was emptied, or whose failover
    /// lost the last writes. Answers whether there is something to write. Keys that were removed on purpose stay away,
    /// and a memory that is merely old changes nothing.
    pub fn restore(&mut self, memory: &KeySet, now: Timestamp) -> bool {
        if !self.has_lost(memory) {
            return false;
        }
        let before = self.clone();
        for known in &memory.keys {
            if let Some(key) = self.key_mut(known.kid()) {
                key.remember(known, now);
            } else if !self.has_removed(known.kid()) {
                self.keys.push(known.clone());
            }
        }
        self.keep_signing(&before, now);
        let back = |key: &&StoredKey| before.key(key.kid()).is_none();
        let back: Vec<String> = self.keys.iter().filter(back).map(|key| key.public.kid.clone()).collect();
        back.iter().for_each(|kid| self.announce_again(kid, now));
        back.iter().for_each(|kid| self.give_way(kid, memory, now));
        self.sessions_ended_at = self.sessions_ended_at.max(memory.sessions_ended_at);
        self.access = self.access.or(memory.access);
        if *self == before && self.version >= memory.version {
            return false;
        }
        self.version = self.version.max(memory.version);
        self.restored = self.restored.max(memory.restored) + 1;
        let forgotten: Vec<String> = memory.removed.iter().filter(|kid| !self.has_removed(kid)).cloned().collect();
        self.removed.extend(forgotten);
        true
    }

    /// Whether this set, out of the store, does not descend from `memory`.
    fn has_lost(&self, memory: &KeySet) -> bool {
        self.restored != memory.restored
            || self.version < memory.version
            || (self.version == memory.version && self != memory)
            || memory.keys.iter().any(|key| self.key(key.kid()).is_none() && !self.has_removed(key.kid()))
    }

    fn has_removed(&self, kid: &str) -> bool {
        self.removed.iter().any(|removed| removed == kid)
    }

    /// What two memories say may leave nobody to sign: one knows that a key gave way, the other that its successor was
    /// withdrawn. Then the key that signed last goes on.
    fn keep_signing(&mut self, before: &KeySet, now: Timestamp) {
        for algorithm in self.silenced(before, now) {
            let able = |key: &&mut StoredKey| key.algorithm() == algorithm && key.can_sign() && !key.is_coming(now);
            let last = self.keys.iter_mut().filter(able).max_by_key(|key| key.signs_from);
            if let Some(last) = last.filter(|key| key.signs_from.is_some()) {
                last.retired_at = None;
            }
        }
    }

    /// The algorithms with which `before` can sign and this set cannot. After [`Self::restore`]: say, operators withdrew
    /// one key before a loss and the other one after it, and only both memories together know. No key may come back from
    /// that, so whoever writes the set down has to add one that signs at once.
    pub fn silenced(&self, before: &Self, now: Timestamp) -> Vec<Algorithm> {
        before.algorithms(now).into_iter().filter(|algorithm| self.signing(*algorithm, now).is_none()).collect()
    }

    /// A key that is back and has not signed yet: nobody knows which replicas publish it, so it is announced again. Not
    /// the one that signs before its time, because its predecessor is withdrawn.
    fn announce_again(&mut self, kid: &str, now: Timestamp) {
        let signs = |key: &StoredKey| self.signing(key.algorithm(), now).is_some_and(|signing| signing.kid() == kid);
        if self.key(kid).is_some_and(signs) {
            return;
        }
        let Some(key) = self.key_mut(kid).filter(|key| key.is_coming(now)) else { return };
        let signs_from = key.signs_from.take();
        key.announced_revision = None;
        let algorithm = key.algorithm();
        if signs_from.is_some() {
            self.unretire(algorithm, signs_from);
        }
    }

    /// A key that is back and signed goes on to do so, because the caches of the world know it. One that some replica
    /// made meanwhile, since it found nothing, gives way; what it signed is still believed.
    fn give_way(&mut self, kid: &str, memory: &KeySet, now: Timestamp) {
        let Some(algorithm) = self.key(kid).map(StoredKey::algorithm) else { return };
        if memory.signing(algorithm, now).is_none_or(|signing| signing.kid() != kid) {
            return;
        }
        let hasty = |key: &&mut StoredKey| key.at_once && memory.key(key.kid()).is_none() && key.retired_at.is_none();
        for key in self.keys.iter_mut().filter(|key| key.algorithm() == algorithm && key.kid() != kid).filter(hasty) {
            key.retire_at_once(now);
        }
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

    fn unretire(&mut self, algorithm: Algorithm, retired_at: Option<Timestamp>) {
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

    fn key_mut(&mut self, kid: &str) -> Option<&mut StoredKey> {
        self.keys.iter_mut().find(|key| key.kid() == kid)
    }
}

impl StoredKey {
    /// Takes over what `known`, another copy of this key, says has happened already: that cannot be undone.
    fn remember(&mut self, known: &Self, now: Timestamp) {
        self.revoked_at = self.revoked_at.or(known.revoked_at);
        self.last_expiry = self.last_expiry.max(known.last_expiry);
        self.grace = self.grace.max(known.grace);
        let has_begun = |key: &Self| key.signs_from.is_some() && !key.is_coming(now);
        if has_begun(known) && !has_begun(self) && self.revoked_at.is_none() {
            (self.signs_from, self.at_once) = (known.signs_from, known.at_once);
        }
        let is_over = |key: &Self| key.retired_at.is_some_and(|at| at <= now);
        if is_over(known) && !is_over(self) {
            self.retired_at = known.retired_at;
        }
    }

    /// It signs no more from `now` on, and replicas that do not know it yet may go on for a while.
    fn retire_at_once(&mut self, now: Timestamp) {
        self.retired_at = Some(now);
        let latest = now + LAG + Duration::from_secs(self.grace);
        self.last_expiry = self.last_expiry.max(Some(latest));
    }
}
