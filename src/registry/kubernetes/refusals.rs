//! Resources whose status the API server does not take: tried again later and later, and said once.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::seen::Key;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Which, and when each is tried again.
pub(super) struct Refusals {
    first: Duration,
    waiting: HashMap<Key, Refusal>,
    is_told: bool,
}

struct Refusal {
    /// What was refused: of a resource that changed meanwhile it is tried at once.
    generation: i64,
    pause: Duration,
    until: Instant,
}

impl Refusals {
    /// None yet. The first pause is `first`, each that follows twice as long.
    pub(super) fn every(first: Duration) -> Self {
        Self { first, waiting: HashMap::new(), is_told: false }
    }

    /// Forgets what is gone.
    pub(super) fn retain(&mut self, is_there: impl Fn(&Key) -> bool) {
        self.waiting.retain(|key, _| is_there(key));
    }

    /// Whether this one has to wait.
    pub(super) fn wait(&self, key: &Key, generation: i64) -> bool {
        self.waiting.get(key).is_some_and(|refusal| refusal.generation == generation && Instant::now() < refusal.until)
    }

    /// Notes that the status was not taken.
    pub(super) fn note(&mut self, key: Key, generation: i64, code: u16) {
        let known = self.waiting.get(&key);
        let pause = known.map_or(self.first, |refusal| (refusal.pause * 2).min(LONGEST));
        // Not at the first time: what is deleted at this moment is refused, too.
        if known.is_some() && !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(
                resource = key.source(),
                code,
                "the API server does not take the status of this resource, and perhaps of others; if it takes none, their \
                 definition is without the status subresource: uitsmijter crds | kubectl apply -f -"
            );
        }
        self.waiting.insert(key, Refusal { generation, pause, until: Instant::now() + pause });
    }

    /// Notes that the status was taken.
    pub(super) fn end(&mut self, key: &Key) {
        self.waiting.remove(key);
        self.is_told &= !self.waiting.is_empty();
    }
}
