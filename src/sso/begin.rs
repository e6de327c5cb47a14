//! How a session begins: under a fresh cookie at every sign-in (session fixation), in place of the one before.

use super::sign_out;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::session::{Authentication, Identity, Session, SignedIn};
use crate::store::Batch;

/// How many applications behind the interceptor one session remembers.
const MAX_HOSTS: usize = 50;

/// Somebody who has just proved who they are.
pub struct Arrival {
    /// Who it is.
    pub identity: Identity,
    /// When and how they proved it.
    pub authentication: Authentication,
    /// A few words about the browser.
    pub browser: String,
    /// The host of the application behind the interceptor that they want to see.
    pub application: Option<String>,
}

/// The `sid` of the session that begins: it stays as long as the person does.
pub fn sid(issuer: &Issuer, previous: Option<&SignedIn>, identity: &Identity) -> String {
    match previous {
        Some(previous) if previous.session.identity.subject == identity.subject => previous.session.sid.clone(),
        _ => issuer.services.random.identifier(),
    }
}

/// Begins the session called `sid` in one step with what `batch` holds; gives `None` when that cannot be. A session of
/// somebody else in this browser ends in any case.
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
    };
    let cookie = issuer.services.random.token();
    Ok(session.begin(&cookie, batch)?.commit().await?.then_some(SignedIn { cookie, session }))
}
