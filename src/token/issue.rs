//! The one place where access and ID tokens are made: RFC 6749 §5.1, OIDC Core §3.1.3.3.

use super::authorization::{Authorization, Holder};
use super::{access_token, id_token};
use crate::audit;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::protocol::token::TokenResponse;
use crate::protocol::token_exchange;

/// Turns an authorization into the response of the token endpoint. An application behind a proxy gets only an access
/// token.
pub async fn issue(issuer: &Issuer, authorization: Authorization) -> Result<TokenResponse> {
    let signer = issuer.signer().await?;
    let now = issuer.now();
    let lifetime = authorization.access_token_lifetime(issuer, now);
    let claims = access_token::AccessTokenClaims::new(issuer, &authorization, now, now + lifetime);
    signer.cover(claims.exp).await;
    let access_token = access_token::sign(&signer, &claims)?;
    let id_token = match (&authorization.person, &authorization.holder) {
        (Some(person), Holder::Client(client)) if authorization.scope.contains("openid") => {
            let issuer_url = &authorization.issuer_url;
            Some(id_token::sign(&signer, client, issuer_url, person, &access_token, now, now + lifetime)?)
        }
        _ => None,
    };
    audit::token_issued(&issuer.tenant.name, authorization.holder.id(), &claims.sub, &claims.jti);
    Ok(TokenResponse {
        access_token,
        issued_token_type: authorization.exchanged.as_ref().map(|_| token_exchange::ACCESS_TOKEN),
        token_type: authorization.confirmation.token_type(),
        expires_in: lifetime.as_secs(),
        scope: authorization.scope,
        refresh_token: authorization.person.and_then(|person| person.refresh_token),
        id_token,
    })
}
