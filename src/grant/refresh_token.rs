//! The refresh grant: RFC 6749 §6.

use std::sync::Arc;

use super::permission::{current_scope, narrowed_audience};
use crate::issuer::Issuer;
use crate::login::people::Verdict;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::registry::client::Client;
use crate::session::Identity;
use crate::sso::stay::for_refresh;
use crate::token::{Authorization, Grant, refresh_token};

/// Redeems a refresh token. The scope may be narrowed for the new access token, never widened; the tenant's login
/// provider decides whether the person may still sign in, and who they are now. What was taken from the client since the
/// grant began is taken from the token.
pub async fn redeem(
    issuer: &Issuer,
    client: Arc<Client>,
    value: String,
    scope: Option<Scope>,
    resource: &[String],
) -> Result<Authorization> {
    let presented = refresh_token::find(issuer, &client, value).await?;
    check_origin(&client, presented.grant())?;
    let audience = narrowed_audience(&client, &left_of_audience(&client, &presented.grant().audience)?, resource)?;
    let left = || OAuthError::invalid_grant("the person may not sign in any more");
    let person = match for_refresh(issuer, &presented.grant().person.identity).await? {
        Verdict::Stays { person, .. } => *person,
        Verdict::Unsaid => return Err(left()),
        Verdict::Leaves => {
            presented.end(issuer).await?;
            return Err(left());
        }
    };
    let left = left_of_scope(&client, presented.grant(), &person)?;
    let scope = match scope {
        None => left,
        Some(narrower) => narrowed(narrower, &presented.grant().scope, &left)?,
    };
    presented.redeem(issuer, client, person, scope, audience).await
}

/// A refresh token is for as long as its client may use the grant that it came from.
fn check_origin(client: &Client, grant: &Grant) -> Result<()> {
    if client.may_use(grant.began_with()) {
        Ok(())
    } else {
        Err(OAuthError::invalid_grant("the client may not use the grant that this token came from any more"))
    }
}

/// The resources that the client may still have tokens for. Where some were named, none left is not the same as any.
fn left_of_audience(client: &Client, granted: &[String]) -> Result<Vec<String>> {
    let left: Vec<String> = granted.iter().filter(|target| client.may_target(target)).cloned().collect();
    if left.is_empty() && !granted.is_empty() {
        return Err(OAuthError::invalid_grant("nothing of the granted resources is left to this client"));
    }
    Ok(left)
}

/// What is left of the granted scope: what the client may still ask for, and what the tenant gives the person now.
fn left_of_scope(client: &Client, grant: &Grant, person: &Identity) -> Result<Scope> {
    let left = current_scope(client, grant, person);
    if left.is_empty() && !grant.scope.is_empty() {
        return Err(OAuthError::invalid_grant("nothing of the granted scope is left to this client"));
    }
    Ok(left)
}

/// RFC 6749 §6: nothing that was not granted; and of that, what is left.
fn narrowed(asked: Scope, granted: &Scope, left: &Scope) -> Result<Scope> {
    if !asked.iter().all(|token| granted.contains(token) || left.contains(token)) {
        return Err(OAuthError::invalid_scope("the scope exceeds what was granted"));
    }
    let narrowed = asked.narrowed(|token| left.contains(token));
    if narrowed.is_empty() && !asked.is_empty() {
        return Err(OAuthError::invalid_grant("nothing of this scope is left to this client"));
    }
    Ok(narrowed)
}
