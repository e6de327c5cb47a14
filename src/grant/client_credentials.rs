//! The client credentials grant: RFC 6749 §4.4. Touches neither the store nor a person.

use std::sync::Arc;

use super::permission::{check_targets, impersonal, permitted_scope};
use crate::issuer::Issuer;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::registry::client::Client;
use crate::token::authorization::{Authorization, Confirmation, Holder};

/// Authorizes a confidential client to act for itself; `openid` means a person and is not granted.
pub fn redeem(
    issuer: &Issuer,
    client: Arc<Client>,
    scope: Option<Scope>,
    audience: Vec<String>,
) -> Result<Authorization> {
    // §4.4: must only be used by confidential clients.
    if client.is_public() {
        return Err(OAuthError::unauthorized_client("a public client cannot use client_credentials"));
    }
    let scope = impersonal(permitted_scope(&client, &scope.unwrap_or_default())?)?;
    check_targets(&client, &audience)?;
    Ok(Authorization {
        holder: Holder::Client(client),
        confirmation: Confirmation::Bearer,
        issuer_url: issuer.url.clone(),
        scope,
        audience,
        person: None,
        exchanged: None,
    })
}
