//! Putting back what the store has lost of a set of keys and this replica remembers.

use crate::clock::Timestamp;
use crate::key::record::{KeySet, StoredKey};
use crate::protocol::jwk::Algorithm;

impl KeySet {
    /// Puts back what `memory` knows and this set, as stored, has lost: the store was emptied, or a failover lost the last
    /// writes. Answers whether there is something to write. Keys that were removed on purpose stay away, and a memory
    /// that is merely old changes nothing.
    pub fn restore(&mut self, memory: &KeySet, now: Timestamp) -> bool {
        if !self.has_lost(memory) {
            return false;
        }
        let before = self.clone();
        for known in &memory.keys {
            if let Some(key) = self.key_mut(known.kid()) {
                key.remember(known, now);
            } else if self.lacks(known) {
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
        self.raise_all_hs256(&memory.hs256_until);
        if *self == before && self.version >= memory.version {
            return false;
        }
        self.version = self.version.max(memory.version);
        self.restored = self.restored.max(memory.restored) + 1;
        let forgotten: Vec<String> = memory.removed.iter().filter(|kid| !self.has_removed(kid)).cloned().collect();
        self.removed.extend(forgotten);
        true
    }

    /// Whether this set, as stored, does not descend from `memory`.
    fn has_lost(&self, memory: &KeySet) -> bool {
        self.restored != memory.restored
            || self.version < memory.version
            || (self.version == memory.version && self != memory)
            || memory.keys.iter().any(|key| self.lacks(key))
    }

    /// Whether `known` is missing and was not removed. One that somebody changed is missing, if we can prove ours.
    fn lacks(&self, known: &StoredKey) -> bool {
        let is_foreign = self.foreign.iter().any(|(key, _)| key.kid() == known.kid());
        self.key(known.kid()).is_none() && !self.has_removed(known.kid()) && (!is_foreign || known.mac.is_some())
    }

    fn has_removed(&self, kid: &str) -> bool {
        self.removed.iter().any(|removed| removed == kid)
    }

    /// Two memories together may leave no key that signs: one knows that a key gave way, the other that its successor was
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

    /// The algorithms with which `before` can sign and this set cannot, after [`Self::restore`]: say, operators withdrew
    /// one key before a loss and the other one after it, and only both memories together know. None of them may come
    /// back, so the set needs a new key that signs at once before it is written.
    pub fn silenced(&self, before: &Self, now: Timestamp) -> Vec<Algorithm> {
        before.algorithms(now).into_iter().filter(|algorithm| self.signing(*algorithm, now).is_none()).collect()
    }

    /// A key that is back and has not signed yet is announced again, because it is not known which replicas publish it.
    /// Not so one that signs before its time, because its predecessor is withdrawn.
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

    /// A key that is back and signed goes on signing, because the caches of verifiers have it. A key that a replica made
    /// meanwhile, because it found none, gives way; its tokens still verify.
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
}

impl StoredKey {
    /// Takes over what has happened already according to `known`, another copy of this key: it cannot be undone.
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
}
