//! How a grant of a person begins, whatever led to it.

use std::sync::Arc;

use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::protocol::token::GrantType;
use crate::registry::client::Client;
use crate::session::participant::Participant;
use crate::store::Batch;
use crate::token::{Authorization, Grant, Holder, PersonalAuthorization, refresh_token};

/// Stores a grant that a person gave, with the first refresh token where the client may use one, in one step with what
/// `using` holds: the use of something that goes when the person signs out, as the grant does from then on.
///
/// Gives `None` when that was used, or is gone: nothing has happened then.
pub(super) async fn begin(
    issuer: &Issuer,
    client: Arc<Client>,
    grant_id: String,
    mut grant: Grant,
    nonce: Option<String>,
    using: Batch<'_>,
) -> Result<Option<Authorization>> {
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

/// OIDC Back-Channel Logout §2.5: a client that wants to hear of the end of a session is remembered with it.
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
