//! The refresh grant: RFC 6749 §6.

use std::sync::Arc;

use super::permission::narrowed_audience;
use crate::issuer::Issuer;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::registry::client::Client;
use crate::sso::stay::may_stay;
use crate::token::{Authorization, refresh_token};

/// Redeems a refresh token. The scope may be narrowed for the new access token, never widened; the tenant's login
/// provider decides whether the person may still sign in.
pub async fn redeem(
    issuer: &Issuer,
    client: Arc<Client>,
    value: String,
    scope: Option<Scope>,
    resource: &[String],
) -> Result<Authorization> {
    let presented = refresh_token::find(issuer, &client, value).await?;
    let granted = &presented.grant().scope;
    let scope = match scope {
        None => granted.clone(),
        Some(narrower) if narrower.is_within(granted) => narrower,
        Some(_) => return Err(OAuthError::invalid_scope("the scope exceeds what was granted")),
    };
    let audience = narrowed_audience(&client, &presented.grant().audience, resource)?;
    if !may_stay(issuer, &presented.grant().person.identity).await? {
        return Err(OAuthError::invalid_grant("the person may not sign in any more"));
    }
    presented.redeem(issuer, client, scope, audience).await
}
