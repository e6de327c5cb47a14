//! Token exchange: RFC 8693. A service that was called with a token gets one for the next service: as the person
//! (impersonation), or as itself on the person's behalf (delegation, `act`).

use std::sync::Arc;

use super::permission::{check_targets, impersonal, is_listed, is_personal, permitted_scope};
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::protocol::token_exchange::{TokenExchange, TokenKind};
use crate::registry::client::Client;
use crate::session::Session;
use crate::token::access_token::{self, Living};
use crate::token::authorization::{Actor, Authorization, Exchanged, Holder, PersonalAuthorization};
use crate::token::{Grant, id_token};

/// What the subject token stands for.
struct Subject {
    grant_id: String,
    grant: Grant,
    /// What it is good for at most.
    scope: Scope,
    /// Who acts already.
    actor: Option<Actor>,
    expires_at: Timestamp,
}

/// Exchanges a living token of this tenant. The new one never lives longer, never may more, and ends with the grant of
/// the old one.
pub async fn redeem(
    issuer: &Issuer,
    client: Arc<Client>,
    request: TokenExchange,
    resource: Vec<String>,
) -> Result<Authorization> {
    // §5: whoever asks must be known, or a stolen token could be made into others.
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
    let person = PersonalAuthorization { grant_id, grant, nonce: None, refresh_token: None };
    let exchanged = Some(Exchanged { actor, expires_at });
    Ok(Authorization { scope, audience, exchanged, ..Authorization::of_person(Holder::Client(client), person) })
}

/// §2.2.2: a token that is not good is an `invalid_request`.
fn unacceptable(which: &'static str) -> impl Fn(OAuthError) -> OAuthError {
    move |error| match error.code {
        ErrorCode::InvalidToken => OAuthError::invalid_request(format!("{which} is not a living token of this server"))
            .because(anyhow::anyhow!(error.description)),
        _ => error,
    }
}

async fn access_subject(issuer: &Issuer, client: &Client, token: &str) -> Result<Subject> {
    let Living { claims, grant } = access_token::verify(issuer, token).await.map_err(unacceptable("subject_token"))?;
    if !is_for(client, &claims) {
        return Err(OAuthError::invalid_request("subject_token was not made for this client"));
    }
    let (Some(grant), Some(grant_id)) = (grant, claims.grant_id()) else {
        return Err(OAuthError::invalid_request("subject_token does not speak of a person"));
    };
    Ok(Subject {
        grant_id: grant_id.to_owned(),
        grant,
        scope: claims.scope().clone(),
        actor: claims.actor().cloned(),
        expires_at: claims.expires_at(),
    })
}

/// §1.1: who exchanges a token is whoever it was sent to. That is told by `aud`; a client that a resource server accepts
/// tokens with other audiences for lists them. The one that a token was issued to may exchange it, too.
fn is_for(client: &Client, claims: &access_token::Claims) -> bool {
    let accepted = |audience: &String| {
        **audience == *client.ident || client.accepted_audiences.iter().any(|pattern| pattern.matches(audience))
    };
    claims.client_id() == &*client.ident || claims.audience().iter().any(accepted)
}

/// An ID token says who, not what for: the client that it was made for may ask for what the person granted it with that
/// token, as long as the session lives.
async fn id_subject(issuer: &Issuer, client: &Client, token: &str) -> Result<Subject> {
    let refused = || OAuthError::invalid_request("subject_token is not a living ID token for this client");
    let (hint, expires_at) = id_token::verify_living(issuer, token).await.map_err(unacceptable("subject_token"))?;
    let grant_id = hint.grant_id().ok_or_else(refused)?.to_owned();
    let sid = hint.sid.ok_or_else(refused)?;
    let grant = Grant::find(issuer, &grant_id).await?.ok_or_else(refused)?.record;
    if *hint.aud != *client.ident || *grant.client_id != *client.ident || !Session::lives(&issuer.store, &sid).await? {
        return Err(refused());
    }
    Ok(Subject { grant_id, scope: grant.scope.clone(), grant, actor: None, expires_at })
}

/// Who acts: whoever a living access token of the client speaks of, a person or the client itself. Another client's token
/// would let it say that somebody acts who never asked for it.
async fn actor(issuer: &Issuer, client: &Client, token: &str) -> Result<Living> {
    let living = access_token::verify(issuer, token).await.map_err(unacceptable("actor_token"))?;
    if living.claims.client_id() == &*client.ident {
        Ok(living)
    } else {
        Err(OAuthError::invalid_request("actor_token was not issued to this client"))
    }
}

/// What the client may ask for of what the subject token may; there is neither an ID token nor a refresh token in it.
fn narrowed(client: &Client, asked: Option<Scope>, of: &Scope) -> Result<Scope> {
    match asked {
        None => Ok(of.narrowed(|token| is_listed(client, token) && !is_personal(token))),
        Some(asked) if asked.is_within(of) => impersonal(permitted_scope(client, &asked)?),
        Some(_) => Err(OAuthError::invalid_scope("the scope exceeds that of the subject_token")),
    }
}
