//! The grants: one file each, one entry point for all.

use std::sync::Arc;

use self::permission::check_grant;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::protocol::token::{GrantRequest, TokenRequest};
use crate::registry::client::Client;
use crate::token::Authorization;

pub mod authorization_code;
pub mod authorize;
mod begin;
pub mod client_credentials;
pub mod device_code;
pub mod password;
mod pending_devices;
pub mod permission;
pub mod refresh_token;
pub mod token_exchange;
pub mod user_code;

/// Redeems the grant that an authenticated client presents: RFC 6749 §3.2. Checks everything, then consumes.
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
