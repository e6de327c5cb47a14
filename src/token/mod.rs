//! What leaves the server: every grant ends in an [`Authorization`], and [`issue`] turns it into tokens.

use std::sync::Arc;

use crate::audit;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::protocol::scope::Scope;
use crate::protocol::token::TokenResponse;
use crate::protocol::token_exchange;
use crate::registry::client::Client;

pub mod access_token;
pub mod claims;
pub mod grant_record;
pub mod id_token;
pub mod logout_token;
pub mod pass;
pub mod refresh_token;

pub use grant_record::{Grant, Person};

/// What a grant ended in: who may do what on whose behalf.
pub struct Authorization {
    /// Who gets the tokens.
    pub client: Arc<Client>,
    /// `iss` of the tokens: the issuer under which the grant was asked, which may be another host of the tenant.
    pub issuer_url: Arc<str>,
    /// What was granted.
    pub scope: Scope,
    /// `aud` of the access token; empty: the client.
    pub audience: Vec<String>,
    /// Whom the tokens speak of; `None`: the client itself.
    pub person: Option<PersonalAuthorization>,
    /// Where it comes from another token.
    pub exchanged: Option<Exchanged>,
}

/// What an exchanged token keeps of the one that it was exchanged for: RFC 8693.
pub struct Exchanged {
    /// Who acts on behalf of the person.
    pub actor: Option<access_token::Actor>,
    /// It lives no longer than this.
    pub expires_at: Timestamp,
}

/// The part of an [`Authorization`] that a person gave.
pub struct PersonalAuthorization {
    /// The id of the stored grant that the tokens name.
    pub grant_id: String,
    /// The stored grant.
    pub grant: Grant,
    /// OIDC Core §3.1.2.1; only in the first ID token.
    pub nonce: Option<String>,
    /// The refresh token that follows the one that was used or is the first of its family.
    pub refresh_token: Option<String>,
}

/// Turns an authorization into the answer of the token endpoint: RFC 6749 §5.1, OIDC Core §3.1.3.3.
pub async fn issue(issuer: &Issuer, authorization: Authorization) -> Result<TokenResponse> {
    let signer = issuer.signer().await?;
    let now = issuer.now();
    let mut lifetime = issuer.access_token_lifetime(&authorization.client);
    if let Some(exchanged) = &authorization.exchanged {
        lifetime = lifetime.min(exchanged.expires_at.since(now));
    }
    let claims = access_token::Claims::new(issuer, &authorization, now, now + lifetime);
    let access_token = access_token::sign(&signer, &claims)?;
    let id_token = match &authorization.person {
        Some(person) if authorization.scope.contains("openid") => {
            Some(id_token::sign(&signer, &authorization, person, &access_token, now, now + lifetime)?)
        }
        _ => None,
    };
    audit::token_issued(&issuer.tenant.name, &authorization.client.ident, claims.sub(), claims.jti());
    Ok(TokenResponse {
        access_token,
        issued_token_type: authorization.exchanged.as_ref().map(|_| token_exchange::ACCESS_TOKEN),
        token_type: "Bearer",
        expires_in: lifetime.as_secs(),
        scope: authorization.scope,
        refresh_token: authorization.person.and_then(|person| person.refresh_token),
        id_token,
    })
}

/// The earlier of two moments.
pub(crate) fn earlier(a: Timestamp, b: Timestamp) -> Timestamp {
    a.min(b)
}
