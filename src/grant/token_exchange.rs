//! Token exchange: RFC 8693. A service that was called with a token gets one for the next service: as the person
//! (impersonation), or as itself on the person's behalf (delegation, `act`).

use std::sync::Arc;

use super::permitted_scope;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::login::session::Session;
use crate::protocol::authorization::ClaimsRequest;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::protocol::token_exchange::{TokenExchange, TokenKind};
use crate::registry::client::Client;
use crate::token::access_token::{self, Actor, Living};
use crate::token::{Authorization, Exchanged, Grant, Person, PersonalAuthorization, id_token};

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
        TokenKind::Access => access_subject(issuer, &request.subject_token).await?,
        TokenKind::Id => id_subject(issuer, &client, &request.subject_token).await?,
    };
    let scope = narrowed(&client, request.scope, &subject.scope)?;
    let audience = [resource, request.audience].concat();
    check_targets(issuer, &audience)?;
    let actor = match request.actor_token {
        Some(token) => Some(Actor::of(&actor(issuer, &token).await?.claims, subject.actor)),
        None => subject.actor,
    };
    let Subject { grant_id, grant, expires_at, .. } = subject;
    Ok(Authorization {
        client,
        issuer_url: grant.issuer.as_str().into(),
        scope,
        audience,
        person: Some(PersonalAuthorization { grant_id, grant, nonce: None, refresh_token: None }),
        exchanged: Some(Exchanged { actor, expires_at }),
    })
}

/// §2.2.2: a token that is not good is an `invalid_request`.
fn unacceptable(which: &'static str) -> impl Fn(OAuthError) -> OAuthError {
    move |error| match error.code {
        ErrorCode::InvalidToken => OAuthError::invalid_request(format!("{which} is not a living token of this server"))
            .because(anyhow::anyhow!(error.description)),
        _ => error,
    }
}

async fn access_subject(issuer: &Issuer, token: &str) -> Result<Subject> {
    let Living { claims, grant } = access_token::verify(issuer, token).await.map_err(unacceptable("subject_token"))?;
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

/// An ID token says who, not what for: the client that it was made for may ask for what is registered for it, as long
/// as the session lives.
async fn id_subject(issuer: &Issuer, client: &Client, token: &str) -> Result<Subject> {
    let refused = || OAuthError::invalid_request("subject_token is not a living ID token for this client");
    let (hint, expires_at) = id_token::verify_living(issuer, token).await.map_err(unacceptable("subject_token"))?;
    let sid = hint.sid.filter(|_| hint.aud == *client.ident).ok_or_else(refused)?;
    let sessions = Session::of(&issuer.store, &hint.sub).await?;
    let session = sessions.into_iter().find(|session| session.sid == sid).ok_or_else(refused)?;
    let all = client.scopes.iter().filter_map(|pattern| pattern.literal()).collect::<Vec<_>>().join(" ");
    let grant = Grant {
        client_id: client.ident.to_string(),
        issuer: issuer.url.to_string(),
        person: Person {
            identity: session.identity,
            auth_time: session.auth_time,
            sid: Some(sid),
            acr: "1".into(),
            amr: vec!["pwd".into()],
        },
        scope: Scope::from(all),
        claims: ClaimsRequest::default(),
        audience: Vec::new(),
        expires_at,
        absolute_expiry: expires_at,
        generation: 0,
        current: None,
        revoked: false,
    };
    let grant_id = issuer.random.identifier();
    grant.begin(issuer, &grant_id).await?;
    Ok(Subject { grant_id, scope: grant.scope.clone(), grant, actor: None, expires_at })
}

/// Who acts: whoever its own living access token speaks of, a person or a client.
async fn actor(issuer: &Issuer, token: &str) -> Result<Living> {
    access_token::verify(issuer, token).await.map_err(unacceptable("actor_token"))
}

/// What the client may ask for of what the subject token may; there is neither an ID token nor a refresh token in it.
fn narrowed(client: &Client, asked: Option<Scope>, of: &Scope) -> Result<Scope> {
    let asked = match asked {
        None => of.clone(),
        Some(asked) if asked.is_within(of) => permitted_scope(client, &asked)?,
        Some(_) => return Err(OAuthError::invalid_scope("the scope exceeds that of the subject_token")),
    };
    let listed = |token: &str| client.scopes.iter().any(|pattern| pattern.matches(token));
    Ok(asked.narrowed(|token| listed(token) && !matches!(token, "openid" | "offline_access")))
}

/// §2.2.2: `invalid_target` for a service that nobody here knows. An address is known by itself (RFC 8707).
fn check_targets(issuer: &Issuer, targets: &[String]) -> Result<()> {
    let known = |target: &String| issuer.client(target).is_some() || url::Url::parse(target).is_ok();
    match targets.iter().all(known) {
        true => Ok(()),
        false => {
            Err(OAuthError::new(ErrorCode::InvalidTarget, "audience is neither a client of this server nor a URI"))
        }
    }
}
