//! Whether a person may stay signed in. The login provider decides at each refresh, and now and then while a session is
//! used.

use std::time::Duration;

use super::sign_out;
use crate::audit::{self, Extent};
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::session::participant::Participant;
use crate::session::{Identity, Session, SignedIn};

/// The interval of these checks while a session is used; it is not prolonged in between either.
const CONFIRM_EVERY: Duration = Duration::from_secs(5 * 60);

/// Whether the tenant's login provider lets this person stay.
///
/// Errors: [`crate::protocol::error::Unavailable`] when the provider does not answer: that is not a no.
pub async fn may_stay(issuer: &Issuer, identity: &Identity) -> anyhow::Result<bool> {
    issuer.services.login.may_stay(&issuer.tenant, &identity.username).await
}

/// A person who stays signed in.
pub struct Stay {
    /// The person and their session.
    pub signed_in: SignedIn,
    /// Whether the session was prolonged by its whole lifetime; its cookie must be renewed as well.
    pub is_prolonged: bool,
}

/// Prolongs a session now and then if the person may stay; ends it and returns `None` if they may not.
pub async fn stay(issuer: &Issuer, SignedIn { cookie, session }: SignedIn) -> Result<Option<Stay>> {
    let now = issuer.now();
    if is_confirmed(&session, now) {
        return Ok(Some(Stay { signed_in: SignedIn { cookie, session }, is_prolonged: false }));
    }
    // Claimed first, so that only one of the requests for a page asks, also when the backend is away.
    let Some(session) = claim(issuer, &cookie, now).await? else { return as_it_is(issuer, cookie).await };
    match may_stay(issuer, &session.identity).await {
        Ok(true) => prolong(issuer, cookie).await,
        Ok(false) => {
            let subject = session.identity.subject.clone();
            sign_out::of_browser(issuer, &SignedIn { cookie, session }).await?;
            audit::logout(&issuer.tenant.name, &subject, "login provider", Extent::Session);
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(cause = format!("{error:#}"), "nobody could say whether a person may stay; not prolonged");
            Ok(Some(Stay { signed_in: SignedIn { cookie, session }, is_prolonged: false }))
        }
    }
}

fn is_confirmed(session: &Session, now: Timestamp) -> bool {
    now.since(session.confirmed_at()) < CONFIRM_EVERY
}

/// The session, marked as being checked; `None` if another request is checking it, or if it has ended.
async fn claim(issuer: &Issuer, cookie: &str, now: Timestamp) -> Result<Option<Session>> {
    let Some(current) = Session::load(&issuer.store, cookie).await? else { return Ok(None) };
    if is_confirmed(&current.record, now) {
        return Ok(None);
    }
    let claimed = Session { confirmed_at: Some(now), ..current.record.clone() };
    Ok(claimed.change(&issuer.store, cookie, &current).await?.then_some(claimed))
}

async fn prolong(issuer: &Issuer, cookie: String) -> Result<Option<Stay>> {
    let Some(current) = Session::load(&issuer.store, &cookie).await? else { return Ok(None) };
    let expires_at = issuer.now() + issuer.services.lifetimes.session;
    let session = Session { expires_at, ..current.record.clone() };
    if !session.change(&issuer.store, &cookie, &current).await? {
        return as_it_is(issuer, cookie).await;
    }
    Participant::prolong(&issuer.store, &session.sid, session.expires_at).await?;
    Ok(Some(Stay { signed_in: SignedIn { cookie, session }, is_prolonged: true }))
}

async fn as_it_is(issuer: &Issuer, cookie: String) -> Result<Option<Stay>> {
    let session = Session::find(&issuer.store, &cookie).await?;
    Ok(session.map(|session| Stay { signed_in: SignedIn { cookie, session }, is_prolonged: false }))
}
