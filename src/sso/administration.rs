//! What an operator does with sessions: find them, and end them with everything that was granted in them.
//!
//! Nothing here is on the way of a request. Large groups are read page by page.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::sign_out;
use crate::audit::{self, Extent};
use crate::clock::Timestamp;
use crate::issuer::{Issuer, signer_with_keys};
use crate::protocol::error::Result;
use crate::session::Session;
use crate::session::record::all_sessions;
use crate::store::Record;
use crate::token::Grant;
use crate::token::grant_record::grants_of_client;

/// How many records are read at a time: other requests wait for the store, too.
const AT_ONCE: usize = 500;

/// Whose sessions and grants are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meant {
    /// Those of everybody at the tenant.
    Everybody,
    /// Those of the person with this `sub`.
    Subject(String),
    /// Those of whoever signed in by this name.
    Username(String),
    /// What was granted to this client, and the sessions in which it was.
    Client(String),
}

/// A living session, as an operator reads it.
#[derive(Clone, Debug, Serialize)]
pub struct ListedSession {
    /// The tenant.
    pub tenant: String,
    /// The session's id; not a secret.
    pub sid: String,
    /// The person.
    pub subject: String,
    /// The name that the person signed in with.
    pub username: String,
    /// When credentials were entered.
    pub signed_in_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Browser and system in a few words; empty if unknown.
    pub browser: String,
}

/// What came to an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// The tenant.
    pub tenant: String,
    /// How many sessions.
    pub sessions: usize,
    /// How many grants, in these sessions and beside them; their refresh tokens end with them.
    pub grants: usize,
}

/// The living sessions that are `meant`, the latest first.
pub async fn list(issuer: &Issuer, meant: &Meant) -> Result<Vec<ListedSession>> {
    let mut found = sessions(issuer, meant).await?;
    found.sort_by(|a, b| b.authentication.time.cmp(&a.authentication.time).then(a.sid.cmp(&b.sid)));
    Ok(found.into_iter().map(|session| listed(issuer, session)).collect())
}

/// Ends the sessions and grants that are `meant`, and tells the clients that took part. A person who is meant loses
/// everything, also what was granted for offline use.
pub async fn end(issuer: &Issuer, meant: &Meant) -> Result<Ended> {
    let (sessions, grants) = (sessions(issuer, meant).await?, grants(issuer, meant).await?);
    let ended = Ended { tenant: issuer.tenant.name.to_string(), sessions: sessions.len(), grants: grants.len() };
    if let Meant::Client(client) = meant {
        for session in sessions {
            sign_out::named(issuer, &session.sid).await?;
            audit::logout(&issuer.tenant.name, &session.identity.subject, "operator", Extent::Session);
        }
        issuer.store.remove_group(&grants_of_client(&ident(issuer, client))).await?;
        return Ok(ended);
    }
    let with_sessions = sessions.into_iter().map(|session| session.identity.subject);
    let with_grants = grants.into_iter().map(|grant| grant.person.identity.subject);
    for subject in with_sessions.chain(with_grants).chain(named(meant)).collect::<BTreeSet<_>>() {
        sign_out::everywhere(issuer, &subject).await?;
        audit::logout(&issuer.tenant.name, &subject, "operator", Extent::Everywhere);
    }
    Ok(ended)
}

/// A subject ends also where nothing is found: a grant may be about to be stored.
fn named(meant: &Meant) -> Option<String> {
    if let Meant::Subject(subject) = meant { Some(subject.clone()) } else { None }
}

async fn sessions(issuer: &Issuer, meant: &Meant) -> Result<Vec<Session>> {
    let signer = signer_with_keys(&issuer.services.keys, &issuer.tenant).await?;
    let lives = |session: &Session| signer.as_ref().is_none_or(|signer| !signer.has_ended(session.authentication.time));
    let found = match meant {
        Meant::Subject(subject) => Session::of(&issuer.store, subject).await?,
        Meant::Everybody => matching(issuer, &all_sessions(), |_| true).await?,
        Meant::Username(name) => {
            matching(issuer, &all_sessions(), |session: &Session| session.identity.username == *name).await?
        }
        Meant::Client(_) => {
            let sids: BTreeSet<String> =
                grants(issuer, meant).await?.into_iter().filter_map(|grant| grant.person.sid).collect();
            matching(issuer, &all_sessions(), |session: &Session| sids.contains(&session.sid)).await?
        }
    };
    Ok(found.into_iter().filter(lives).collect())
}

async fn grants(issuer: &Issuer, meant: &Meant) -> Result<Vec<Grant>> {
    let is_meant = |grant: &Grant| match meant {
        Meant::Everybody | Meant::Client(_) => true,
        Meant::Subject(subject) => grant.person.identity.subject == *subject,
        Meant::Username(name) => grant.person.identity.username == *name,
    };
    let clients: Vec<String> = match meant {
        Meant::Client(client) => vec![ident(issuer, client)],
        // No group has all grants of a tenant, and one by subject has more than grants.
        _ => issuer.snapshot.clients_of(&issuer.tenant.name).iter().map(|client| client.ident.to_string()).collect(),
    };
    let mut found = Vec::new();
    for client in clients {
        found.extend(matching(issuer, &grants_of_client(&client), is_meant).await?);
    }
    Ok(found)
}

/// The client's id as its grants have it; a client that is declared no more is meant as it is written.
fn ident(issuer: &Issuer, client: &str) -> String {
    let declared = issuer.snapshot.client(&issuer.tenant.name, client);
    declared.map_or_else(|| client.to_owned(), |client| client.ident.to_string())
}

async fn matching<R: Record>(issuer: &Issuer, group: &str, is_meant: impl Fn(&R) -> bool) -> Result<Vec<R>> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = issuer.store.page::<R>(group, after.as_deref(), AT_ONCE).await?;
        found.extend(page.members.into_iter().filter(&is_meant));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

fn listed(issuer: &Issuer, session: Session) -> ListedSession {
    ListedSession {
        tenant: issuer.tenant.name.to_string(),
        sid: session.sid,
        subject: session.identity.subject,
        username: session.identity.username,
        signed_in_at: session.authentication.time,
        expires_at: session.expires_at,
        browser: session.browser,
    }
}
