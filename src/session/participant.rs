//! Which clients took part in a session: those that want to hear of its end.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::store::{Batch, Record, Replacement, Store, group};

/// A client that got an ID token in a session (OIDC Back-Channel Logout §2.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Which client.
    pub client_id: String,
    /// Under which name of ours; the logout token keeps it.
    pub issuer: String,
    /// Whom the ID token spoke of.
    pub subject: String,
    /// In which session.
    pub sid: String,
}

impl Record for Participant {
    const KIND: &'static str = "participant";
}

impl Participant {
    /// Remembers it for `life`, which is at least that of the session, along with what `batch` holds.
    pub fn remember<'s>(&self, now: Timestamp, life: Duration, batch: Batch<'s>) -> Result<Batch<'s>> {
        batch.put(&self.id(), self, &self.groups(), now + life)
    }

    /// Remembers everyone who took part in a session until `until`, because the session lives on.
    pub async fn prolong(store: &Store, sid: &str, until: Timestamp) -> Result<()> {
        for participant in Self::of_session(store, sid).await? {
            // Unless the session ended meanwhile.
            let prolonged = |found: &Self| Replacement {
                record: found.clone(),
                groups: found.groups().into(),
                expires_at: Some(until),
            };
            store.update(&participant.id(), |found| found.map(prolonged)).await?;
        }
        Ok(())
    }

    /// Forgets it. Of many who do so at the same time, one is told so, and tells the client.
    pub async fn forget(&self, store: &Store) -> Result<bool> {
        store.remove::<Self>(&self.id()).await
    }

    /// Everyone who took part in a session.
    pub async fn of_session(store: &Store, sid: &str) -> Result<Vec<Self>> {
        store.members(&participants_of_session(sid)).await
    }

    /// Everyone who took part in any session of a person.
    pub async fn of_person(store: &Store, subject: &str) -> Result<Vec<Self>> {
        store.members(&participants_of_person(subject)).await
    }

    /// A sid has no line breaks, so the pair cannot be read in two ways.
    fn id(&self) -> String {
        format!("{}\n{}", self.sid, self.client_id)
    }

    fn groups(&self) -> [String; 2] {
        [participants_of_session(&self.sid), participants_of_person(&self.subject)]
    }
}

fn participants_of_session(sid: &str) -> String {
    group("session-participants", sid)
}

fn participants_of_person(subject: &str) -> String {
    group("person-participants", subject)
}
