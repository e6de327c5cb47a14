//! Which clients took part in a session: those that want to hear of its end.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::store::{Record, Store, group};

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
    /// Remembers it for `life`, which is at least that of the session.
    pub async fn remember(&self, store: &Store, now: Timestamp, life: Duration) -> Result<()> {
        let groups = [participants_of_session(&self.sid), participants_of_person(&self.subject)];
        store.put(&format!("{}\n{}", self.sid, self.client_id), self, &groups, now + life).await
    }

    /// Everyone who took part in a session; nobody afterwards, so that each is told once.
    pub async fn take_session(store: &Store, sid: &str) -> Result<Vec<Self>> {
        take(store, &participants_of_session(sid)).await
    }

    /// Everyone who took part in any session of a person; nobody afterwards.
    pub async fn take_person(store: &Store, subject: &str) -> Result<Vec<Self>> {
        take(store, &participants_of_person(subject)).await
    }
}

async fn take(store: &Store, group: &str) -> Result<Vec<Participant>> {
    let participants = store.members(group).await?;
    if !participants.is_empty() {
        store.remove_group(group).await?;
    }
    Ok(participants)
}

fn participants_of_session(sid: &str) -> String {
    group("session-participants", sid)
}

fn participants_of_person(subject: &str) -> String {
    group("person-participants", subject)
}
