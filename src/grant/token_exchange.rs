//! Token exchange: RFC 8693. A service that was called with a token gets one for the next service: as the person
//! (impersonation), or as itself on the person's behalf (delegation, `act`).

use std::sync::Arc;

use super::permission::{check_targets, impersonal, permitted_scope};
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::scope::{Scope, is_personal};
use crate::protocol::token_exchange::{TokenExchange, TokenKind};
use crate::registry::client::Client;
use crate::session::Session;
use crate::sso::stay::confirmed_grant;
use crate::token::access_token::{self, AccessTokenClaims, ActiveAccessToken};
use crate::token::authorization::{Actor, Authorization, Exchanged, Holder, PersonalAuthorization};
use crate::token::{Grant, id_token};

/// The grant behind the subject token.
struct Subject {
    grant_id: String,
    grant: Grant,
    /// Its scope, the most that the new token can have.
    scope: Scope,
    /// Its actor.
    actor: Option<Actor>,
    expires_at: Timestamp,
}

/// Exchanges an active token of this tenant. The new one never lives longer, never allows more, and ends with the same
/// grant.
pub async fn redeem(
    issuer: &Issuer,
    client: Arc<Client>,
    request: TokenExchange,
    resource: Vec<String>,
) -> Result<Authorization> {
    // §5: the client must authenticate, or a stolen token could be exchanged by anybody.
    if client.is_public() {
        return Err(OAuthError::unauthorized_client("a public client cannot exchange tokens"));
    }
    let subject = match request.subject_kind {
        TokenKind::Access => access_subject(issuer, &client, &request.subject_token).await?,
        TokenKind::Id => id_subject(issuer, &client, &request.subject_token).await?,
    };
    let scope = narrowed(&client, request.scope, &subject.scope)?;
    let audience = [resource, request.audience].concat();
    check_targets(&client, &audience)?;
    let actor = match request.actor_token {
        Some(token) => Some(actor(issuer, &client, &token).await?.claims.as_actor(subject.actor)),
        None => subject.actor,
    };
    let Subject { grant_id, grant, expires_at, .. } = subject;
    // Last, because it may have to ask: somebody who granted this some time ago may have been removed since.
    let left = || OAuthError::invalid_request("the person of subject_token may not sign in any more");
    let grant = confirmed_grant(issuer, &grant_id, grant).await?.ok_or_else(left)?;
    let person = PersonalAuthorization { grant_id, grant, nonce: None, refresh_token: None };
    let exchanged = Some(Exchanged { actor, expires_at });
    Ok(Authorization { scope, audience, exchanged, ..Authorization::of_person(Holder::Client(client), person) })
}

/// §2.2.2: an invalid subject or actor token is an `invalid_request`.
fn unacceptable(which: &'static str) -> impl Fn(OAuthError) -> OAuthError {
    move |error| match error.code {
        ErrorCode::InvalidToken => OAuthError::invalid_request(format!("{which} is not a living token of this server"))
            .because(anyhow::anyhow!(error.description)),
        _ => error,
    }
}

async fn access_subject(issuer: &Issuer, client: &Client, token: &str) -> Result<Subject> {
    let ActiveAccessToken { claims, grant } =
        access_token::verify(issuer, token).await.map_err(unacceptable("subject_token"))?;
    if !is_for(client, &claims) {
        return Err(OAuthError::invalid_request("subject_token was not made for this client"));
    }
    let (Some(grant), Some(grant_id)) = (grant, claims.grant_id) else {
        return Err(OAuthError::invalid_request("subject_token does not speak of a person"));
    };
    Ok(Subject { grant_id, grant, scope: claims.scope, actor: claims.act, expires_at: claims.exp })
}

/// §1.1: a token is exchanged by the client that received it, as `aud` says. A resource server that accepts other
/// audiences lists them. The client that a token was issued to may exchange it, too.
fn is_for(client: &Client, claims: &AccessTokenClaims) -> bool {
    let accepted = |audience: &String| {
        **audience == *client.ident || client.accepted_audiences.iter().any(|pattern| pattern.matches(audience))
    };
    claims.client_id == *client.ident || claims.aud.as_slice().iter().any(accepted)
}

/// An ID token says who signed in, not what is allowed: its own client may ask for what the person granted with it,
/// while the session lives.
async fn id_subject(issuer: &Issuer, client: &Client, token: &str) -> Result<Subject> {
    let refused = || OAuthError::invalid_request("subject_token is not a living ID token for this client");
    let (hint, expires_at) = id_token::verify_unexpired(issuer, token).await.map_err(unacceptable("subject_token"))?;
    let grant_id = hint.grant_id().ok_or_else(refused)?.to_owned();
    let sid = hint.sid.ok_or_else(refused)?;
    let grant = Grant::find(issuer, &grant_id).await?.ok_or_else(refused)?.record;
    if *hint.aud != *client.ident || *grant.client_id != *client.ident || !Session::lives(&issuer.store, &sid).await? {
        return Err(refused());
    }
    Ok(Subject { grant_id, scope: grant.scope.clone(), grant, actor: None, expires_at })
}

/// The actor: the subject of an active access token that was issued to the client. With another client's token it could
/// name an actor that never asked for it.
async fn actor(issuer: &Issuer, client: &Client, token: &str) -> Result<ActiveAccessToken> {
    let active = access_token::verify(issuer, token).await.map_err(unacceptable("actor_token"))?;
    if active.claims.client_id == *client.ident {
        Ok(active)
    } else {
        Err(OAuthError::invalid_request("actor_token was not issued to this client"))
    }
}

/// The requested scope within that of the subject token; without those that ask for an ID token or a refresh token.
fn narrowed(client: &Client, asked: Option<Scope>, of: &Scope) -> Result<Scope> {
    match asked {
        None => Ok(of.narrowed(|token| client.lists_scope(token) && !is_personal(token))),
        Some(asked) if asked.is_within(of) => impersonal(permitted_scope(client, &asked)?),
        Some(_) => Err(OAuthError::invalid_scope("the scope exceeds that of the subject_token")),
    }
}
