//! What a client may have: its grants (RFC 6749 §5.2), scopes (§3.3) and resources (RFC 8707).

use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::scope::{Scope, is_personal};
use crate::protocol::token::GrantType;
use crate::registry::client::Client;
use crate::session::Identity;
use crate::token::Grant;

/// RFC 6749 §5.2: `unauthorized_client` unless the client lists the grant.
pub fn check_grant(client: &Client, grant: GrantType) -> Result<()> {
    if client.grant_types.contains(&grant) {
        Ok(())
    } else {
        Err(OAuthError::unauthorized_client("the client is not allowed to use this grant_type"))
    }
}

/// RFC 6749 §3.3: narrows the requested scope to what the client may ask for.
///
/// `openid` needs no listing: it asks only for the fact of the sign-in, and without it there is no OpenID Connect.
/// Errors: `invalid_scope` if a scope was requested and nothing of it is left.
pub fn permitted_scope(client: &Client, asked: &Scope) -> Result<Scope> {
    let granted = asked.narrowed(|token| token == "openid" || client.lists_scope(token));
    if granted.is_empty() && !asked.is_empty() {
        return Err(OAuthError::invalid_scope("nothing of the scope may be granted to this client"));
    }
    Ok(granted)
}

/// The scope of a token that is issued without a sign-in: without the scopes that need one.
///
/// Errors: `invalid_scope` if nothing is left of a scope.
pub(super) fn impersonal(scope: Scope) -> Result<Scope> {
    let left = scope.narrowed(|token| !is_personal(token));
    if left.is_empty() && !scope.is_empty() {
        return Err(OAuthError::invalid_scope("nothing of the scope can be granted without a sign-in"));
    }
    Ok(left)
}

/// RFC 8707 §2, RFC 8693 §2.2.2: whether the client may have tokens for these resources. Each becomes `aud`, which
/// resource servers trust, so it must be registered for the client; a client may always name itself.
///
/// Errors: `invalid_target`.
pub fn check_targets(client: &Client, targets: &[String]) -> Result<()> {
    if targets.iter().all(|target| client.may_target(target)) {
        Ok(())
    } else {
        Err(OAuthError::new(ErrorCode::InvalidTarget, "the client may not have tokens for this resource"))
    }
}

/// RFC 8707 §2.2: narrows the granted resources to those requested for this token.
///
/// Errors: `invalid_target` for a resource that was not granted. If none was granted by name, any that the client may
/// have tokens for will do.
pub(super) fn narrowed_audience(client: &Client, granted: &[String], asked: &[String]) -> Result<Vec<String>> {
    let audience = match (granted, asked) {
        (granted, []) => granted,
        ([], asked) => asked,
        (granted, asked) if asked.iter().all(|resource| granted.contains(resource)) => asked,
        _ => return Err(OAuthError::new(ErrorCode::InvalidTarget, "resource is not one of those that were granted")),
    };
    check_targets(client, audience)?;
    Ok(audience.to_vec())
}

/// What is left now of the scope of a grant: what the client may still ask for, and what the tenant gives `person` now.
pub fn current_scope(client: &Client, grant: &Grant, person: &Identity) -> Scope {
    let asked = |token: &str| !grant.provided.contains(token) && (token == "openid" || client.lists_scope(token));
    with_provider_scopes(client, grant.scope.narrowed(asked), &person.scopes)
}

/// Adds the scopes that the login provider gave the person, if the client accepts them.
pub fn with_provider_scopes(client: &Client, mut granted: Scope, provided: &[String]) -> Scope {
    let acceptable = Scope::from(provided.join(" "))
        .narrowed(|token| client.provider_scopes.iter().any(|pattern| pattern.matches(token)));
    acceptable.iter().for_each(|token| granted.add(token));
    granted
}
