//! The questions of this process whether people may stay: one at a time about each person, whose answer is for everybody
//! who waits for it, and counts for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::inquiry::Inquiry;
use super::stay_policy::StayPolicy;
use crate::clock::Timestamp;
use crate::login::script::{ScriptError, Update};
use crate::recent::Recent;

/// How many people are remembered per generation.
const KEPT: usize = 5_000;
/// The longest profile, in bytes of JSON, that is remembered after those who waited for it have it.
const LONGEST: usize = 2_048;

/// What the script said: what is new about a person who may stay, or `None` for one who may not; or why it said nothing.
pub(super) type Said = Result<Option<Update>, ScriptError>;

/// The answers of late. Cheap to clone.
#[derive(Clone)]
pub(super) struct Questions(Arc<Recent<String, Arc<Slot>>>);

/// One person. Who holds `last` asks, and the others wait.
#[derive(Default)]
struct Slot {
    /// How many questions were answered.
    answered: AtomicU64,
    last: Mutex<Option<Heard>>,
}

/// An answer, and when it was given.
#[derive(Clone)]
pub(super) struct Heard {
    pub(super) said: Said,
    pub(super) at: Timestamp,
}

impl Questions {
    pub(super) fn none_yet() -> Self {
        Self(Arc::new(Recent::keeping(KEPT)))
    }

    /// What is said of `who`: by `ask`, by a question that somebody else is asking, or a short while ago.
    pub(super) async fn answer(
        &self,
        who: String,
        inquiry: Inquiry<'_>,
        policy: StayPolicy,
        ask: impl Future<Output = Said>,
    ) -> Heard {
        let slot = self.0.get_or_default(who.clone());
        let before = slot.answered.load(Ordering::Acquire);
        let mut last = slot.last.lock().await;
        let was_waiting = slot.answered.load(Ordering::Acquire) != before;
        let counts = |heard: &&Heard| {
            inquiry.last_yes.is_some_and(|last_yes| was_waiting || still_counts(heard, last_yes, inquiry.now, policy))
        };
        if let Some(heard) = last.as_ref().filter(counts) {
            return heard.clone();
        }
        let heard = Heard { said: ask.await, at: inquiry.now };
        slot.answered.fetch_add(1, Ordering::AcqRel);
        *last = Some(heard.clone());
        if is_long(&heard.said) {
            // Those who wait have this slot; the next to come finds another.
            self.0.insert(who, Arc::default());
        }
        heard
    }
}

/// A yes counts until it is time to ask again. When nobody could say anything, that is asked again as late, but at once
/// where somebody is kept out by it. A no has ended everything: who is back has signed in again.
fn still_counts(heard: &Heard, last_yes: Timestamp, now: Timestamp, policy: StayPolicy) -> bool {
    let is_young = now.since(heard.at) < policy.every;
    match heard.said {
        Ok(Some(_)) | Err(ScriptError::MissingClass(_)) => is_young,
        Ok(None) => false,
        Err(_) => is_young && now.since(last_yes) < policy.stale,
    }
}

fn is_long(said: &Said) -> bool {
    let profile = said.as_ref().ok().and_then(|update| update.as_ref()?.profile.as_ref());
    profile.is_some_and(|profile| serde_json::to_string(profile).map_or(0, |json| json.len()) > LONGEST)
}
