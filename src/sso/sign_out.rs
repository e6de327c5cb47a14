//! The end of sessions, and how clients are told: OIDC Back-Channel Logout §2.5 to §2.7.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::registry::client::Client;
use crate::session::delivery::Delivery;
use crate::session::participant::Participant;
use crate::session::{Session, SignedIn};
use crate::store::Store;
use crate::telemetry;
use crate::token::logout_token;

/// The pause before each further attempt. A client that is unavailable for longer finds out by a refused refresh.
const RETRIES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// Ends a session with its grants, and notifies the clients that took part. Waits for none of them.
pub async fn of_browser(issuer: &Issuer, SignedIn { cookie, session }: &SignedIn) -> Result<()> {
    let store = &issuer.store;
    end(issuer, || Participant::of_session(store, &session.sid), Session::end(store, cookie, session)).await
}

/// Ends the session `sid`, whose cookie only its own browser knows, and notifies the clients that took part.
pub async fn named(issuer: &Issuer, sid: &str) -> Result<()> {
    let store = &issuer.store;
    end(issuer, || Participant::of_session(store, sid), Session::end_named(store, sid)).await
}

/// Ends all sessions and grants of a person, and notifies every client of any of their sessions.
pub async fn everywhere(issuer: &Issuer, subject: &str) -> Result<()> {
    let store = &issuer.store;
    end(issuer, || Participant::of_person(store, subject), Session::end_everywhere(store, subject)).await
}

/// Looks the participants up before the end, because the store may fail right after it, and again afterwards, because
/// one may have joined meanwhile.
async fn end<Found>(
    issuer: &Issuer,
    participants: impl Fn() -> Found,
    ending: impl Future<Output = anyhow::Result<()>>,
) -> Result<()>
where
    Found: Future<Output = anyhow::Result<Vec<Participant>>>,
{
    let known = participants().await?;
    ending.await?;
    tell(issuer, participants().await.unwrap_or(known)).await;
    Ok(())
}

async fn tell(issuer: &Issuer, participants: Vec<Participant>) {
    for participant in participants {
        // Of two concurrent sign-outs one notifies the clients; if the store cannot tell which, both do.
        if !participant.forget(&issuer.store).await.unwrap_or(true) {
            continue;
        }
        let client = client_of(issuer, &participant).await;
        // The client may have been removed, or may no longer want to be told.
        let wants = |client: &Arc<Client>| client.backchannel_logout_uri.is_some();
        if client.as_ref().is_ok_and(|client| !client.as_ref().is_some_and(wants)) {
            continue;
        }
        let delivery = Delivery::new(&issuer.tenant.name, participant, issuer.now());
        keep(issuer, &delivery).await;
        // Where nobody knows now who the client is, a replica takes the delivery over later.
        let Ok(Some(client)) = client else { continue };
        // Its own task: the request ends before the last attempt.
        let span = tracing::info_span!(
            parent: None,
            "backchannel_logout",
            client = &*client.ident,
            trace_id = tracing::field::Empty
        );
        telemetry::join(&span);
        tokio::spawn(deliver(issuer.clone(), client, delivery).instrument(span));
    }
}

/// Continues the deliveries of a replica that has stopped. `issuer_of` finds the tenant.
pub async fn resume(
    store: &Store,
    now: Timestamp,
    issuer_of: impl Fn(&Delivery) -> Option<Issuer>,
) -> anyhow::Result<()> {
    for delivery in Delivery::take_over(store, now).await? {
        let issuer = issuer_of(&delivery);
        // The tenant may not have been loaded yet; if it never appears, the record expires.
        let Some(issuer) = issuer else { continue };
        if let Ok(Some(client)) = client_of(&issuer, &delivery.participant).await {
            tokio::spawn(deliver(issuer, client, delivery));
        }
    }
    Ok(())
}

async fn client_of(issuer: &Issuer, participant: &Participant) -> Result<Option<Arc<Client>>> {
    issuer.client(&participant.client_id).await.inspect_err(|error| {
        let cause = error.cause.as_ref().map(|cause| format!("{cause:#}"));
        tracing::warn!(cause, client = participant.client_id, "a client could not be told that a session ended");
    })
}

/// Tries a delivery even if it cannot be stored.
async fn keep(issuer: &Issuer, delivery: &Delivery) {
    if let Err(error) = delivery.keep(&issuer.store, issuer.now()).await {
        tracing::warn!(cause = format!("{error:#}"), "a logout token is not kept and is lost if this process ends");
    }
}

async fn deliver(issuer: Issuer, client: Arc<Client>, mut delivery: Delivery) {
    loop {
        let (again, cause) = match attempt(&issuer, &client, &delivery.participant).await {
            Ok(()) => break,
            Err(failure) => failure,
        };
        let next = RETRIES.get(delivery.failures).filter(|_| again);
        tracing::warn!(
            tenant = &*issuer.tenant.name,
            client = &*client.ident,
            cause = format!("{cause:#}"),
            again = next.is_some(),
            "a client could not be told that a session ended"
        );
        let Some(pause) = next else { break };
        delivery.postpone(issuer.now(), *pause);
        keep(&issuer, &delivery).await;
        tokio::time::sleep(*pause).await;
    }
    // A delivery that is left by mistake is tried once more; a client had better be told twice than never.
    drop(delivery.finish(&issuer.store).await);
}

/// One attempt; an error says whether another one makes sense.
async fn attempt(issuer: &Issuer, client: &Client, participant: &Participant) -> Result<(), (bool, anyhow::Error)> {
    let Some(uri) = &client.backchannel_logout_uri else { return Ok(()) };
    // A fresh token each time, because it lives for only two minutes.
    let token = logout_token::sign(issuer, client, participant).await;
    let token = token.map_err(|error| (true, error.cause.unwrap_or_else(|| anyhow::anyhow!(error.description))))?;
    let answer = issuer.services.outgoing.post_form(uri, &[("logout_token", &token)]).await;
    let status = answer.map_err(|error| (true, error))?.status;
    if status.is_success() {
        return Ok(());
    }
    // §2.8: 400 is the client's final answer.
    let again = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    Err((again, anyhow::anyhow!("the answer has the status {status}")))
}
