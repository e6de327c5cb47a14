//! How a session begins: under a fresh cookie at every sign-in (session fixation), replacing the one before.

use super::{crowd, sign_out};
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::session::{Authentication, Identity, Session, SignedIn};
use crate::store::Batch;

/// How many applications behind the interceptor a session remembers.
const MAX_HOSTS: usize = 50;

/// A person who has just authenticated.
pub struct Arrival {
    /// Who they are.
    pub identity: Identity,
    /// When and how they authenticated.
    pub authentication: Authentication,
    /// Browser and system in a few words.
    pub browser: String,
    /// The host of the application behind the interceptor that they want to visit.
    pub application: Option<String>,
    /// Whether the session's cookie is one that only this host can set.
    pub is_host_bound: bool,
}

/// The `sid` of the new session: unchanged if the same person signs in again.
pub fn sid(issuer: &Issuer, previous: Option<&SignedIn>, identity: &Identity) -> String {
    match previous {
        Some(previous) if previous.session.identity.subject == identity.subject => previous.session.sid.clone(),
        _ => issuer.services.random.identifier(),
    }
}

/// Begins the session `sid` in one step with `batch`; `None` when that step fails. Another person's session in this
/// browser ends in either case.
pub async fn begin(
    issuer: &Issuer,
    sid: String,
    arrival: Arrival,
    previous: Option<SignedIn>,
    mut batch: Batch<'_>,
) -> Result<Option<SignedIn>> {
    let mut hosts: Vec<String> = arrival.application.into_iter().collect();
    match previous {
        Some(SignedIn { cookie, session }) if session.sid == sid => {
            let others: Vec<String> = session.hosts.into_iter().filter(|host| !hosts.contains(host)).collect();
            hosts.extend(others);
            hosts.truncate(MAX_HOSTS);
            batch = batch.remove::<Session>(&cookie);
        }
        Some(other) => sign_out::of_browser(issuer, &other).await?,
        None => {}
    }
    let session = Session {
        sid,
        identity: arrival.identity,
        authentication: arrival.authentication,
        expires_at: issuer.now() + issuer.services.lifetimes.session,
        confirmed_at: None,
        browser: arrival.browser,
        hosts,
        is_host_bound: arrival.is_host_bound,
    };
    let cookie = issuer.services.random.token();
    if !session.begin(&cookie, batch)?.commit().await? {
        return Ok(None);
    }
    crowd::thin_out(issuer, &session).await;
    Ok(Some(SignedIn { cookie, session }))
}
