//! What to do next with a set of keys: a pure decision that any replica may take at any time.

use crate::clock::Timestamp;
use crate::key::policy::RotationPolicy;
use crate::key::record::{KEEP_PRIVATE, KeySet, State, StoredKey};
use crate::key::replicas::progress::Replicas;
use crate::protocol::jwk::Algorithm;

/// The next thing to do. Doing it twice, late, or by several replicas at once does no harm, because each one is done by
/// compare-and-set and decided again on what is then there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// Make a key for this algorithm and announce it.
    Generate(Algorithm),
    /// Publish this key to all replicas through the key news, and record the revision of the news.
    Publish(String),
    /// Every replica publishes the key `kid`: it may sign from then on.
    Schedule {
        /// Which key.
        kid: String,
        /// When it starts and its predecessor stops.
        signs_from: Timestamp,
    },
    /// Record that this key signs no more.
    Retire(String),
    /// Promise to publish keys longer, because this replica's policy does.
    Promise,
    /// Clean up.
    Drop {
        /// Keys whose private half is erased.
        private: Vec<String>,
        /// Keys that are removed.
        keys: Vec<String>,
    },
}

impl RotationPolicy {
    /// The next thing to do with `set`, which must hold a signing key for each of `algorithms`. The first keys
    /// of an empty set are made at its first use, and not here.
    pub fn step(&self, set: &KeySet, algorithms: &[Algorithm], replicas: &Replicas, now: Timestamp) -> Step {
        if set.keys.iter().any(|key| key.is_promising() && key.grace < self.grace.as_secs()) {
            return Step::Promise;
        }
        let coming = set.keys.iter().find_map(|key| self.announced(key, replicas, now));
        let missing = algorithms.iter().find(|algorithm| self.needs_key(set, **algorithm, now));
        coming
            .or_else(|| missing.map(|algorithm| Step::Generate(*algorithm)))
            .or_else(|| {
                set.keys
                    .iter()
                    .find(|key| self.is_over(set, key, algorithms, now))
                    .map(|key| Step::Retire(key.kid().into()))
            })
            .or_else(|| self.clean_up(set, now))
            .unwrap_or(Step::Keep)
    }

    /// The next step of an announced key: it is told to all replicas, and scheduled once they know it.
    fn announced(&self, key: &StoredKey, replicas: &Replicas, now: Timestamp) -> Option<Step> {
        if !key.is_unscheduled() {
            return None;
        }
        match key.announced_revision {
            None => Some(Step::Publish(key.kid().into())),
            Some(_) if replicas.are_ready_for(key) => {
                Some(Step::Schedule { kid: key.kid().into(), signs_from: now + self.announce })
            }
            Some(_) => None,
        }
    }

    /// Whether `algorithm` has no key, or none that could follow the one that will be due when a new one is announced.
    fn needs_key(&self, set: &KeySet, algorithm: Algorithm, now: Timestamp) -> bool {
        if set.keys.iter().any(|key| key.algorithm() == algorithm && key.is_coming(now)) {
            return false;
        }
        set.signing(algorithm, now).is_none_or(|signing| self.is_due(signing, now))
    }

    /// Whether the successor of `signing` has to be announced now.
    pub fn is_due(&self, signing: &StoredKey, now: Timestamp) -> bool {
        self.next_rotation(signing).is_some_and(|at| at - self.announce <= now)
    }

    /// When `signing` should be followed by another key.
    pub fn next_rotation(&self, signing: &StoredKey) -> Option<Timestamp> {
        Some(signing.signs_from? + self.rotate_every)
    }

    /// Whether `key` signs no more, or should not, and the record does not say so: a newer one took its place, or no
    /// tenant asks for its algorithm any more. The latter waits until it would be due, so that replicas that disagree
    /// during a roll-out do not make and retire keys in turns.
    fn is_over(&self, set: &KeySet, key: &StoredKey, algorithms: &[Algorithm], now: Timestamp) -> bool {
        if key.retired_at.is_some() || key.revoked_at.is_some() || key.signs_from.is_none_or(|from| from > now) {
            return false;
        }
        let signing = set.signing(key.algorithm(), now).is_some_and(|signing| signing.kid() == key.kid());
        let coming = set.keys.iter().any(|other| other.algorithm() == key.algorithm() && other.is_coming(now));
        !signing
            || (!algorithms.contains(&key.algorithm())
                && !coming
                && self.next_rotation(key).is_some_and(|at| at <= now))
    }

    fn clean_up(&self, set: &KeySet, now: Timestamp) -> Option<Step> {
        let state = |key: &StoredKey| set.state(key, self.grace, now);
        let long_retired = |key: &StoredKey| key.retired_at.is_some_and(|at| at + KEEP_PRIVATE <= now);
        // A revoked key stays in the record for people to see, as long as its tokens would have lived.
        let forgotten = |key: &StoredKey| key.revoked_at.is_some_and(|at| at + key.kept_for(self.grace) < now);
        let kids = |test: &dyn Fn(&StoredKey) -> bool| -> Vec<String> {
            set.keys.iter().filter(|key| test(key)).map(|key| key.kid().into()).collect()
        };
        let keys = kids(&|key| state(key) == State::Gone || forgotten(key));
        let private = kids(&|key| {
            let over = key.revoked_at.is_some() || (long_retired(key) && state(key) == State::Retired);
            over && key.private.is_some() && !keys.contains(&key.public.kid)
        });
        (!keys.is_empty() || !private.is_empty()).then_some(Step::Drop { private, keys })
    }
}

impl KeySet {
    /// When the next of its signing keys should be followed by another.
    pub fn next_rotation(
        &self,
        policy: &RotationPolicy,
        algorithms: &[Algorithm],
        now: Timestamp,
    ) -> Option<Timestamp> {
        let signing = algorithms.iter().filter_map(|algorithm| self.signing(*algorithm, now));
        signing.filter_map(|key| key.retired_at.or_else(|| policy.next_rotation(key))).min()
    }
}

impl StoredKey {
    /// Whether it is announced and waits to be scheduled.
    pub fn is_unscheduled(&self) -> bool {
        self.signs_from.is_none() && self.revoked_at.is_none()
    }

    /// Whether it will sign and does not yet.
    pub fn is_coming(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && !self.at_once && self.signs_from.is_none_or(|from| from > now)
    }

    /// Whether it may still sign something.
    fn is_promising(&self) -> bool {
        self.revoked_at.is_none() && self.retired_at.is_none()
    }
}
