//! Whether a person who signed in before may stay. The login provider decides at each refresh, and now and then before
//! anything else is given by a session; the tenant's list of people decides whenever one is used.

use super::sign_out;
use crate::audit::{self, Extent};
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::login::people::{Inquiry, LoginProvider, Verdict};
use crate::protocol::error::Result;
use crate::session::participant::Participant;
use crate::session::{Identity, Session, SignedIn};
use crate::token::Grant;

/// A person who stays signed in.
pub struct Stay {
    /// The person and their session.
    pub signed_in: SignedIn,
    /// Whether the session was prolonged by its whole lifetime; its cookie must be renewed as well.
    pub is_prolonged: bool,
}

/// The person of a session as the tenant's list has them now. `None`: they are off the list, and everything has ended.
pub async fn as_listed(issuer: &Issuer, SignedIn { cookie, session }: SignedIn) -> Result<Option<SignedIn>> {
    match LoginProvider::as_listed(&issuer.tenant, session.identity.clone()) {
        Some(identity) => Ok(Some(SignedIn { cookie, session: Session { identity, ..session } })),
        None => {
            leave(issuer, &session.identity).await?;
            Ok(None)
        }
    }
}

/// The person of a session, if they may stay; otherwise everything has ended. For what gives something by an older
/// session: asked once in a while, by one request for all that wait.
///
/// Errors: `temporarily_unavailable` when nobody answers, and the last yes is too old.
pub async fn confirmed(issuer: &Issuer, signed_in: SignedIn) -> Result<Option<SignedIn>> {
    // The list was looked at when the session was found.
    if issuer.tenant.script.is_none() {
        return Ok(Some(signed_in));
    }
    Ok(keep(issuer, signed_in, false).await?.map(|stay| stay.signed_in))
}

/// The same, and a session in use is prolonged now and then.
pub async fn prolonged(issuer: &Issuer, signed_in: SignedIn) -> Result<Option<Stay>> {
    keep(issuer, signed_in, true).await
}

async fn keep(issuer: &Issuer, SignedIn { cookie, session }: SignedIn, prolongs: bool) -> Result<Option<Stay>> {
    let every = issuer.services.login.policy().every;
    let now = issuer.now();
    let known = Yes { person: session.identity.clone(), at: session.confirmed_at() };
    let Some(yes) = ask_unless_recent(issuer, known).await? else { return Ok(None) };
    let until = now + issuer.services.lifetimes.session;
    // Decided on the row as it is: another request may have been faster.
    let renewed = |found: &Session| {
        let is_newer = yes.at > found.confirmed_at();
        let is_due = prolongs && now.since(yes.at) < every && until.since(found.expires_at) >= every;
        (is_newer || is_due).then(|| Session {
            identity: yes.person.clone(),
            confirmed_at: Some(yes.at.max(found.confirmed_at())),
            expires_at: if is_due { until } else { found.expires_at },
            ..found.clone()
        })
    };
    if renewed(&session).is_none() {
        return Ok(Some(Stay { signed_in: SignedIn { cookie, session }, is_prolonged: false }));
    }
    let before = session.expires_at;
    let Some(session) = Session::update(&issuer.store, &cookie, renewed).await? else { return Ok(None) };
    let is_prolonged = session.expires_at == until && before != until;
    if is_prolonged {
        Participant::prolong(&issuer.store, &session.sid, session.expires_at).await?;
    }
    Ok(Some(Stay { signed_in: SignedIn { cookie, session }, is_prolonged }))
}

/// The grant of a token, if its person may stay; otherwise everything has ended. Asked as in [`confirmed`].
///
/// Errors: as in [`confirmed`].
pub async fn confirmed_grant(issuer: &Issuer, id: &str, mut grant: Grant) -> Result<Option<Grant>> {
    let known = Yes { person: grant.person.identity.clone(), at: grant.confirmed_at() };
    let Some(yes) = ask_unless_recent(issuer, known).await? else { return Ok(None) };
    if yes.at > grant.confirmed_at() && issuer.tenant.script.is_some() {
        Grant::confirm(issuer, id, &yes.person, yes.at).await?;
    }
    grant.person.identity = yes.person;
    Ok(Some(grant))
}

/// Whether the person of a refresh token may stay: asked each time.
///
/// Errors: `temporarily_unavailable` when nobody answers.
pub async fn for_refresh(issuer: &Issuer, person: &Identity) -> Result<Verdict> {
    let verdict = ask(issuer, person, None).await?;
    match verdict {
        Verdict::Leaves => leave(issuer, person).await?,
        Verdict::Unsaid => tracing::warn!(
            tenant = &*issuer.tenant.name,
            "nobody says whether a person may stay, so no token is refreshed: there is no UserValidationProvider, and \
             ALLOW_MISSING_PROVIDERS is false"
        ),
        Verdict::Stays { .. } => {}
    }
    Ok(verdict)
}

/// A yes: who the person was then, and when.
struct Yes {
    person: Identity,
    at: Timestamp,
}

/// The last yes, or a new one where that is too old; `None`: a no, and everything has ended.
async fn ask_unless_recent(issuer: &Issuer, last: Yes) -> Result<Option<Yes>> {
    if issuer.now().since(last.at) < issuer.services.login.policy().every {
        return Ok(Some(last));
    }
    match ask(issuer, &last.person, Some(last.at)).await? {
        Verdict::Stays { person, at } => Ok(Some(Yes { person: *person, at })),
        Verdict::Unsaid => Ok(Some(last)),
        Verdict::Leaves => {
            leave(issuer, &last.person).await?;
            Ok(None)
        }
    }
}

async fn ask(issuer: &Issuer, person: &Identity, last_yes: Option<Timestamp>) -> Result<Verdict> {
    Ok(issuer.services.login.may_stay(&issuer.tenant, Inquiry { person, now: issuer.now(), last_yes }).await?)
}

/// Ends all sessions, grants and codes of a person who may not stay, and notifies the clients that took part. Where the
/// list still has somebody of this subject, under another name or with a new password, theirs stay.
async fn leave(issuer: &Issuer, person: &Identity) -> Result<()> {
    let (subject, off) = (&person.subject, LoginProvider::is_off_the_list(&issuer.tenant, person));
    if off && LoginProvider::lists(&issuer.tenant, subject) {
        for session in Session::of(&issuer.store, subject).await? {
            if LoginProvider::is_off_the_list(&issuer.tenant, &session.identity) {
                sign_out::named(issuer, &session.sid).await?;
            }
        }
        audit::logout(&issuer.tenant.name, subject, "login provider", Extent::Session);
    } else {
        sign_out::everywhere(issuer, subject).await?;
        audit::logout(&issuer.tenant.name, subject, "login provider", Extent::Everywhere);
    }
    Ok(())
}
