//! The ways to an authorization: one file per grant, one entrance for all.

use std::sync::Arc;

use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::protocol::token::{GrantRequest, GrantType, TokenRequest};
use crate::registry::client::Client;
use crate::session::participant::Participant;
use crate::store::Batch;
use crate::token::{Authorization, Grant, PersonalAuthorization, refresh_token as family};

pub mod authorization_code;
pub mod client_credentials;
pub mod device_code;
pub mod password;
pub mod refresh_token;
pub mod token_exchange;
pub mod user_code;

/// Redeems what an authenticated client presented: RFC 6749 §3.2. Checks everything, then consumes.
pub async fn redeem(issuer: &Issuer, client: Arc<Client>, request: TokenRequest) -> Result<Authorization> {
    let TokenRequest { grant, resource } = request;
    check_grant(&client, grant.grant_type())?;
    match grant {
        GrantRequest::AuthorizationCode { code, redirect_uri, code_verifier } => {
            let (redirect_uri, verifier) = (redirect_uri.as_deref(), code_verifier.as_deref());
            authorization_code::redeem(issuer, client, &code, redirect_uri, verifier, &resource).await
        }
        GrantRequest::RefreshToken { refresh_token, scope } => {
            refresh_token::redeem(issuer, client, refresh_token, scope, &resource).await
        }
        GrantRequest::ClientCredentials { scope } => client_credentials::redeem(issuer, client, scope, resource),
        GrantRequest::Password { username, password, scope } => {
            password::redeem(issuer, client, username, password, scope, resource).await
        }
        GrantRequest::TokenExchange(request) => token_exchange::redeem(issuer, client, request, resource).await,
        GrantRequest::DeviceCode { device_code } => device_code::redeem(issuer, client, &device_code, &resource).await,
    }
}

/// Stores a grant that a person gave, with the first refresh token where the client may use one, in one step with what
/// `using` holds: the use of something that goes when the person signs out, as the grant does from then on.
///
/// Gives `None` when that was used, or is gone: nothing has happened then.
async fn begin(
    issuer: &Issuer,
    client: Arc<Client>,
    grant_id: String,
    mut grant: Grant,
    nonce: Option<String>,
    using: Batch<'_>,
) -> Result<Option<Authorization>> {
    let using = remember_participant(issuer, &client, &grant, using)?;
    let (refresh_token, batch) = match client.may_use(GrantType::RefreshToken) {
        true => {
            let (value, batch) = family::first(issuer, &client, &grant_id, &mut grant, using)?;
            (Some(value), batch)
        }
        false => (None, using),
    };
    if !grant.create(&grant_id, batch)?.commit().await? {
        return Ok(None);
    }
    if refresh_token.is_some() {
        family::count_stored(issuer);
    }
    Ok(Some(Authorization {
        client,
        issuer_url: grant.issuer.as_str().into(),
        scope: grant.scope.clone(),
        audience: grant.audience.clone(),
        person: Some(PersonalAuthorization { grant_id, grant, nonce, refresh_token }),
        exchanged: None,
    }))
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

/// RFC 6749 §5.2: `unauthorized_client` unless the client lists the grant.
pub fn check_grant(client: &Client, grant: GrantType) -> Result<()> {
    if client.grant_types.contains(&grant) {
        Ok(())
    } else {
        Err(OAuthError::unauthorized_client("the client is not allowed to use this grant_type"))
    }
}

/// RFC 6749 §3.3: narrows what was asked to what the client may ask for.
///
/// `openid` needs no listing: it asks for nothing but the fact of the sign-in, and without it there is no OpenID
/// Connect. Errors: `invalid_scope` when something was asked and nothing is left.
pub fn permitted_scope(client: &Client, asked: &Scope) -> Result<Scope> {
    let granted = asked.narrowed(|token| token == "openid" || is_listed(client, token));
    if granted.is_empty() && !asked.is_empty() {
        return Err(OAuthError::invalid_scope("nothing of the scope may be granted to this client"));
    }
    Ok(granted)
}

/// The scope of a token with which no person signs in: without what only means something at a sign-in.
///
/// Errors: `invalid_scope` when something was there and nothing is left.
fn impersonal(scope: Scope) -> Result<Scope> {
    let left = scope.narrowed(|token| !is_personal(token));
    match left.is_empty() && !scope.is_empty() {
        true => Err(OAuthError::invalid_scope("nothing of the scope can be granted without a sign-in")),
        false => Ok(left),
    }
}

/// Whether a scope asks for an ID token or for its renewal.
fn is_personal(token: &str) -> bool {
    matches!(token, "openid" | "offline_access")
}

/// Whether the client lists a scope.
fn is_listed(client: &Client, token: &str) -> bool {
    client.scopes.iter().any(|pattern| pattern.matches(token))
}

/// RFC 8707 §2, RFC 8693 §2.2.2: whether the client may have tokens for these resources. Each becomes `aud`, which is
/// what a resource server believes, so it must be registered for the client; the client itself always may be named.
///
/// Errors: `invalid_target`.
pub fn check_targets(client: &Client, targets: &[String]) -> Result<()> {
    let permitted =
        |target: &String| **target == *client.ident || client.resources.iter().any(|pattern| pattern.matches(target));
    match targets.iter().all(permitted) {
        true => Ok(()),
        false => Err(OAuthError::new(ErrorCode::InvalidTarget, "the client may not have tokens for this resource")),
    }
}

/// RFC 8707 §2.2: for which of the granted resources the token is to be.
///
/// Errors: `invalid_target` for one that was not granted; where none was named before, any that the client may have
/// tokens for may be named now.
fn narrowed_audience(client: &Client, granted: &[String], asked: &[String]) -> Result<Vec<String>> {
    let audience = match (granted, asked) {
        (granted, []) => granted,
        ([], asked) => asked,
        (granted, asked) if asked.iter().all(|resource| granted.contains(resource)) => asked,
        _ => return Err(OAuthError::new(ErrorCode::InvalidTarget, "resource is not one of those that were granted")),
    };
    check_targets(client, audience)?;
    Ok(audience.to_vec())
}

/// Adds the scopes that the login provider gave to the person, as far as the client accepts them.
pub fn with_provider_scopes(client: &Client, mut granted: Scope, provided: &[String]) -> Scope {
    let acceptable = Scope::from(provided.join(" "))
        .narrowed(|token| client.provider_scopes.iter().any(|pattern| pattern.matches(token)));
    acceptable.iter().for_each(|token| granted.add(token));
    granted
}
