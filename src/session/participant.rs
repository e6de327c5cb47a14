//! The clients of a session that want to be told of its end.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::store::{Batch, Record, Replacement, Store, group};

/// A client that got an ID token in a session (OIDC Back-Channel Logout §2.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// The client.
    pub client_id: String,
    /// The issuer of its ID token; the logout token has the same.
    pub issuer: String,
    /// The subject of the ID token.
    pub subject: String,
    /// The session.
    pub sid: String,
}

impl Record for Participant {
    const KIND: &'static str = "participant";
}

impl Participant {
    /// Stores it for `life`, which is at least that of the session, in one step with `batch`.
    pub fn remember<'s>(&self, now: Timestamp, life: Duration, batch: Batch<'s>) -> Result<Batch<'s>> {
        batch.put(&self.id(), self, &self.groups(), now + life)
    }

    /// Extends all participants of a session to `until`, because the session was prolonged.
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

    /// Removes it. Of many concurrent calls one gets `true`, and notifies the client.
    pub async fn forget(&self, store: &Store) -> Result<bool> {
        store.remove::<Self>(&self.id()).await
    }

    /// All participants of a session.
    pub async fn of_session(store: &Store, sid: &str) -> Result<Vec<Self>> {
        store.members(&participants_of_session(sid)).await
    }

    /// All participants of any session of a person.
    pub async fn of_person(store: &Store, subject: &str) -> Result<Vec<Self>> {
        store.members(&participants_of_person(subject)).await
    }

    /// A sid has no line breaks, so the pair is unambiguous.
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
