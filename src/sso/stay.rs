//! May this person stay? Asked of those who know the people, at each refresh and now and then while a session is used.

use std::time::Duration;

use super::sign_out;
use crate::audit::{self, Extent};
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::session::participant::Participant;
use crate::session::{Identity, Session, SignedIn};

/// How often a session that is used asks; in between it is not prolonged either.
const CONFIRM_EVERY: Duration = Duration::from_secs(5 * 60);

/// Whether those who know the tenant's people let this one stay.
///
/// Errors: [`crate::protocol::error::Unavailable`] when nobody could be asked: that is not a no.
pub async fn may_stay(issuer: &Issuer, identity: &Identity) -> anyhow::Result<bool> {
    issuer.services.login.may_stay(&issuer.tenant, &identity.username).await
}

/// Somebody who stays signed in.
pub struct Stay {
    /// Who, and in which session.
    pub signed_in: SignedIn,
    /// Whether the session was prolonged by its whole lifetime; its cookie has to follow.
    pub is_prolonged: bool,
}

/// Prolongs a session now and then, if the person may stay; ends it, and gives `None`, when they may not.
pub async fn stay(issuer: &Issuer, SignedIn { cookie, session }: SignedIn) -> Result<Option<Stay>> {
    let now = issuer.now();
    if is_confirmed(&session, now) {
        return Ok(Some(Stay { signed_in: SignedIn { cookie, session }, is_prolonged: false }));
    }
    // Taken first, so that of all the requests for a page one asks, and a backend that is away is not asked by all.
    let Some(session) = claim(issuer, &cookie, now).await? else { return as_it_is(issuer, cookie).await };
    match may_stay(issuer, &session.identity).await {
        Ok(true) => prolong(issuer, cookie, now).await,
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

/// The session with a note that somebody asks; `None` when somebody else does, or when it has ended.
async fn claim(issuer: &Issuer, cookie: &str, now: Timestamp) -> Result<Option<Session>> {
    let Some(current) = Session::load(&issuer.store, cookie).await? else { return Ok(None) };
    if is_confirmed(&current.record, now) {
        return Ok(None);
    }
    let claimed = Session { confirmed_at: Some(now), ..current.record.clone() };
    Ok(claimed.change(&issuer.store, cookie, &current).await?.then_some(claimed))
}

async fn prolong(issuer: &Issuer, cookie: String, now: Timestamp) -> Result<Option<Stay>> {
    let Some(current) = Session::load(&issuer.store, &cookie).await? else { return Ok(None) };
    let session = Session { expires_at: now + issuer.services.lifetimes.session, ..current.record.clone() };
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
