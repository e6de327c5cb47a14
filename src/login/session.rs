//! The single-sign-on session behind the browser's cookie.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Identity;
use crate::clock::Timestamp;
use crate::store::{Record, Store, group};

/// Who is signed in, since when. Found by the cookie's value, which is known to the browser alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Names the session to clients (OIDC Back-Channel Logout §2.1); not a secret, unlike the cookie.
    pub sid: String,
    /// What the login provider said about the person.
    pub identity: Identity,
    /// When credentials were last entered (`auth_time`).
    pub auth_time: Timestamp,
    /// When the session ends.
    pub expires_at: Timestamp,
}

impl Record for Session {
    const KIND: &'static str = "session";
}

impl Session {
    /// Begins a session under the cookie value `cookie`; `sid` is kept when the same person signs in again.
    pub async fn begin(store: &Store, cookie: &str, session: &Session) -> Result<()> {
        let groups = [sessions_of(&session.identity.subject), everything_of(&session.identity.subject)];
        store.put(cookie, session, &groups, session.expires_at).await
    }

    /// The living session behind a cookie.
    pub async fn find(store: &Store, cookie: &str) -> Result<Option<Session>> {
        store.get(cookie).await
    }

    /// Ends the session and every grant that was given in it, in one step (those for offline use stay).
    pub async fn end(store: &Store, cookie: &str, session: &Session) -> Result<()> {
        store.remove_group(&grants_of_session(&session.sid)).await?;
        store.remove::<Session>(cookie).await
    }

    /// Ends everything of a person: all sessions, all grants.
    pub async fn end_everywhere(store: &Store, subject: &str) -> Result<()> {
        store.remove_group(&everything_of(subject)).await
    }

    /// All living sessions of a person.
    pub async fn of(store: &Store, subject: &str) -> Result<Vec<Session>> {
        store.members(&sessions_of(subject)).await
    }

    /// How long ago credentials were entered.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.auth_time)
    }
}

/// The group of a person's sessions.
pub fn sessions_of(subject: &str) -> String {
    group("sessions", subject)
}

/// The group of all that must go when a person signs out everywhere.
pub fn everything_of(subject: &str) -> String {
    group("person", subject)
}

/// The group of the grants that end with a session, and of the codes that would become such grants.
pub fn grants_of_session(sid: &str) -> String {
    group("session-grants", sid)
}
