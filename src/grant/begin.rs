//! How every grant of a person begins.

use std::sync::Arc;

use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::protocol::token::GrantType;
use crate::registry::client::Client;
use crate::session::participant::Participant;
use crate::store::Batch;
use crate::token::{Authorization, Grant, Holder, PersonalAuthorization, refresh_token};

/// Stores a new grant, with its first refresh token if the client may use one, in one step with `using`.
///
/// Returns `None` when that step fails, or when the person is off the tenant's list by now: then nothing has happened.
pub(super) async fn begin(
    issuer: &Issuer,
    client: Arc<Client>,
    grant_id: String,
    mut grant: Grant,
    nonce: Option<String>,
    using: Batch<'_>,
) -> Result<Option<Authorization>> {
    if grant.is_off_the_list(issuer) {
        return Ok(None);
    }
    let using = remember_participant(issuer, &client, &grant, using)?;
    let (refresh_token, batch) = if client.may_use(GrantType::RefreshToken) {
        let (value, batch) = refresh_token::first(issuer, &client, &grant_id, &mut grant, using)?;
        (Some(value), batch)
    } else {
        (None, using)
    };
    if !grant.create(&grant_id, batch)?.commit().await? {
        return Ok(None);
    }
    if refresh_token.is_some() {
        refresh_token::count_stored(issuer);
    }
    let person = PersonalAuthorization { grant_id, grant, nonce, refresh_token };
    Ok(Some(Authorization::of_person(Holder::Client(client), person)))
}

/// OIDC Back-Channel Logout §2.5: remembers the client with the session if it wants to hear of its end.
fn remember_participant<'s>(issuer: &Issuer, client: &Client, grant: &Grant, batch: Batch<'s>) -> Result<Batch<'s>> {
    let (Some(_), Some(sid)) = (&client.backchannel_logout_uri, &grant.person.sid) else { return Ok(batch) };
    let participant = Participant {
        client_id: client.ident.to_string(),
        issuer: grant.issuer.clone(),
        subject: grant.person.identity.subject.clone(),
        sid: sid.clone(),
    };
    Ok(participant.remember(issuer.now(), issuer.services.lifetimes.session, batch)?)
}
