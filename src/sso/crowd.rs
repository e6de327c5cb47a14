//! How many sessions one person may have: the oldest end when there are too many.

use std::cmp::Reverse;

use super::sign_out;
use crate::audit::{self, Extent};
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::session::Session;
use crate::session::record::sessions_of;

/// After the sign-in that began `new`: ends the person's oldest sessions if they have too many. The sign-in itself
/// succeeded, so a store that fails now only leaves them for the next one.
pub(super) async fn thin_out(issuer: &Issuer, new: &Session) {
    let crowds = &issuer.services.crowds;
    if crowds.is_count_due(&issuer.tenant.name, &new.identity.subject)
        && let Err(error) = end_the_oldest(issuer, new).await
    {
        let cause = error.cause.map(|cause| format!("{cause:#}"));
        tracing::warn!(cause, "a person may have too many sessions, and they could not be counted");
    }
}

async fn end_the_oldest(issuer: &Issuer, new: &Session) -> Result<()> {
    let (crowds, tenant, subject) = (&issuer.services.crowds, &issuer.tenant.name, &new.identity.subject);
    let count = issuer.store.count(&sessions_of(subject)).await?;
    if count > crowds.most {
        let mut sessions = Session::of(&issuer.store, subject).await?;
        sessions.sort_by_key(|session| Reverse((session.sid == new.sid, session.authentication.time)));
        for old in sessions.iter().skip(crowds.most) {
            sign_out::named(issuer, &old.sid).await?;
            audit::logout(tenant, subject, "too many sessions", Extent::Session);
        }
    }
    crowds.counted(tenant, subject, count.min(crowds.most));
    Ok(())
}
