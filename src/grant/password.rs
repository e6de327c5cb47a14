//! The password grant: RFC 6749 §4.3. Only for clients that list it, because RFC 9700 §2.4 advises against it.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{check_targets, permitted_scope, with_provider_scopes};
use crate::issuer::Issuer;
use crate::login::Credentials;
use crate::protocol::authorization::ClaimsRequest;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::registry::client::Client;
use crate::sso::sign_in::{SignIn, sign_in};
use crate::token::{Authorization, Grant, Person, PersonalAuthorization};

/// Signs a person in with the credentials that the client collected. Gives no refresh token.
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
    // A confidential client is a server: its address is not the person's, and many people come from it.
    let address = issuer.caller.filter(|_| client.is_public());
    let (identity, batch) = match sign_in(issuer, credentials, address, None).await? {
        SignIn::Proven(identity, batch) => (identity, batch),
        SignIn::Refused => return Err(OAuthError::invalid_grant("username or password is wrong")),
        // RFC 6749 has no word for it. The status stays 400, which clients know to mean: do not repeat this as it is.
        SignIn::Wait(wait) => return Err(OAuthError::invalid_grant("too many attempts, try again later").after(wait)),
    };
    let now = issuer.now();
    let grant_id = issuer.services.random.identifier();
    let expires_at = now + issuer.access_token_lifetime(&client);
    let grant = Grant {
        client_id: client.ident.to_string(),
        issuer: issuer.url.to_string(),
        scope: with_provider_scopes(&client, scope, &identity.scopes),
        person: Person { identity, auth_time: now, sid: None, acr: "1".into(), amr: vec!["pwd".into()] },
        claims: ClaimsRequest::default(),
        audience: audience.clone(),
        expires_at,
        absolute_expiry: expires_at,
        generation: 0,
        current: None,
        revoked: false,
    };
    grant.create(&grant_id, batch)?.commit().await?;
    Ok(Authorization {
        client,
        issuer_url: issuer.url.clone(),
        scope: grant.scope.clone(),
        audience,
        person: Some(PersonalAuthorization { grant_id, grant, nonce: None, refresh_token: None }),
        exchanged: None,
    })
}
