//! The single-sign-on session behind the browser's cookie.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Authentication, Identity};
use crate::clock::Timestamp;
use crate::store::{Batch, Record, Replacement, Store, group};

/// Who is signed in, and since when. Found by the value of the cookie, which only the browser knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// The session id for clients (OIDC Back-Channel Logout §2.1); not a secret, unlike the cookie.
    pub sid: String,
    /// The person, as the login provider described them.
    pub identity: Identity,
    /// The last authentication.
    #[serde(flatten)]
    pub authentication: Authentication,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// When the login provider last confirmed the person; `None`: at the sign-in.
    #[serde(default)]
    pub confirmed_at: Option<Timestamp>,
    /// Browser and system in a few words; empty if unknown.
    #[serde(default)]
    pub browser: String,
    /// The hosts of applications behind a proxy for which the person signed in; used by tenants without silent login.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whether its cookie is one that only its own host can set, so that it is not believed under another name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_host_bound: bool,
}

impl Record for Session {
    const KIND: &'static str = "session";
}

impl Session {
    /// Begins a session under the cookie value `cookie`, in one step with `batch`; `sid` stays when the same person
    /// signs in again.
    pub fn begin<'s>(&self, cookie: &str, batch: Batch<'s>) -> Result<Batch<'s>> {
        batch.put(cookie, self, &self.groups(), self.expires_at)
    }

    /// Makes `batch` fail unless the session behind the cookie lives, so that nothing that ends with the session is
    /// stored after its end.
    pub fn require<'s>(cookie: &str, batch: Batch<'s>) -> Batch<'s> {
        batch.require::<Self>(cookie)
    }

    /// Changes the session behind a cookie, unless `change` leaves it as it is; what it is then. `None`: it has ended.
    pub async fn update(
        store: &Store,
        cookie: &str,
        change: impl Fn(&Session) -> Option<Session>,
    ) -> Result<Option<Session>> {
        let mut last = None;
        let renew = |found: Option<&Session>| {
            let new = found.and_then(&change);
            last = new.clone().or_else(|| found.cloned());
            new.map(|record| Replacement {
                groups: record.groups().into(),
                expires_at: Some(record.expires_at),
                record,
            })
        };
        store.update(cookie, renew).await?;
        Ok(last)
    }

    /// The living session behind a cookie.
    pub async fn find(store: &Store, cookie: &str) -> Result<Option<Session>> {
        store.get(cookie).await
    }

    /// Ends the session and every grant given in it, in one step (those for offline use stay).
    pub async fn end(store: &Store, cookie: &str, session: &Session) -> Result<()> {
        store.remove_group(&grants_of_session(&session.sid)).await?;
        // A session of an earlier version is not in that group.
        store.remove::<Session>(cookie).await.map(drop)
    }

    /// Ends the session `sid` as [`Session::end`] does, without its cookie.
    pub async fn end_named(store: &Store, sid: &str) -> Result<()> {
        store.remove_group(&grants_of_session(sid)).await?;
        store.remove_group(&cookies_of_session(sid)).await
    }

    /// Ends all sessions and grants of a person.
    pub async fn end_everywhere(store: &Store, subject: &str) -> Result<()> {
        store.remove_group(&everything_of(subject)).await
    }

    /// Whether the session `sid` lives.
    pub async fn lives(store: &Store, sid: &str) -> Result<bool> {
        Ok(!store.members::<Session>(&cookies_of_session(sid)).await?.is_empty())
    }

    /// All living sessions of a person.
    pub async fn of(store: &Store, subject: &str) -> Result<Vec<Session>> {
        store.members(&sessions_of(subject)).await
    }

    /// The groups that end it, alone and with all of the person, and the one that counts it.
    fn groups(&self) -> [String; 5] {
        let (subject, sid) = (&self.identity.subject, &self.sid);
        let (person, session) = (everything_of(subject), grants_of_session(sid));
        [person, session, sessions_of(subject), cookies_of_session(sid), all_sessions()]
    }

    /// When the login provider last confirmed the person.
    pub fn confirmed_at(&self) -> Timestamp {
        self.confirmed_at.unwrap_or(self.authentication.time)
    }

    /// How long ago credentials were entered.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.authentication.time)
    }
}

/// The group of a person's sessions.
pub fn sessions_of(subject: &str) -> String {
    group("sessions", subject)
}

/// The group of all sessions of a tenant. Only for counting: it may be large.
pub fn all_sessions() -> String {
    group("all", "sessions")
}

/// The group of the one record of a session, which ends it without knowledge of its cookie.
fn cookies_of_session(sid: &str) -> String {
    group("session-cookies", sid)
}

/// The group of all that ends when a person signs out everywhere.
pub fn everything_of(subject: &str) -> String {
    group("person", subject)
}

/// The group of a session and of what ends with it in one step: its grants, and the codes that would become grants.
pub fn grants_of_session(sid: &str) -> String {
    group("session-grants", sid)
}
