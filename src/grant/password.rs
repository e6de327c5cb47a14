//! The password grant: RFC 6749 §4.3. Only for clients that list it, because RFC 9700 §2.4 advises against it.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::permission::{check_targets, permitted_scope, with_provider_scopes};
use crate::issuer::Issuer;
use crate::login::Credentials;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::registry::client::Client;
use crate::session::Person;
use crate::sso::sign_in::{SignIn, sign_in};
use crate::token::{Authorization, Grant, Holder, PersonalAuthorization};

/// Signs a person in with credentials that the client collected. Issues no refresh token.
pub async fn redeem(
    issuer: &Issuer,
    client: Arc<Client>,
    username: String,
    password: Zeroizing<String>,
    scope: Option<Scope>,
    audience: Vec<String>,
) -> Result<Authorization> {
    let scope = permitted_scope(&client, &scope.unwrap_or_default())?;
    check_targets(&client, &audience)?;
    let credentials = Credentials { username, password, grant_type: "password" };
    // A confidential client is a server: its address is not the person's, and many people sign in from it.
    let address = issuer.caller.filter(|_| client.is_public());
    let (identity, authentication, batch) = match sign_in(issuer, credentials, address, None).await? {
        SignIn::Proven { identity, authentication, batch } => (identity, authentication, batch),
        SignIn::Refused => return Err(OAuthError::invalid_grant("username or password is wrong")),
        // RFC 6749 has no code for this. The status stays 400, which clients know not to retry unchanged.
        SignIn::Wait(wait) => return Err(OAuthError::invalid_grant("too many attempts, try again later").after(wait)),
    };
    let grant_id = issuer.services.random.identifier();
    let expires_at = authentication.time + issuer.access_token_lifetime(&client);
    let scope = with_provider_scopes(&client, scope, &identity.scopes);
    let person = Person { identity: *identity, authentication, sid: None };
    let new = Grant::new(&client.ident, &issuer.url, person, scope, expires_at);
    let grant = Grant { audience, ..new };
    grant.create(&grant_id, batch)?.commit().await?;
    let person = PersonalAuthorization { grant_id, grant, nonce: None, refresh_token: None };
    Ok(Authorization::of_person(Holder::Client(client), person))
}
