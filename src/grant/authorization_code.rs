//! Authorization codes: RFC 6749 §4.1, RFC 7636, RFC 9700 §4.8.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::authorize::Permitted;
use super::begin::begin;
use super::permission::{narrowed_audience, with_provider_scopes};
use crate::audit;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::authorization::{AuthorizationRequest, ClaimsRequest};
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::pkce::CodeChallenge;
use crate::protocol::scope::Scope;
use crate::registry::client::Client;
use crate::session::{Person, Session, SignedIn};
use crate::store::{Batch, Consumed, Record};
use crate::token::grant_record::ends_with;
use crate::token::{Authorization, Grant};

/// RFC 6749 §4.1.2 recommends ten minutes at most; a client redeems at once.
const LIFETIME: Duration = Duration::from_secs(60);

/// How long a used code is remembered: as long as its reuse should revoke its grant.
const MEMORY: Duration = Duration::from_secs(10 * 60);

/// What a code was issued for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorizationCode {
    client_id: String,
    redirect_uri: String,
    code_challenge: Option<CodeChallenge>,
    nonce: Option<String>,
    issuer: String,
    scope: Scope,
    #[serde(default)]
    provided: Scope,
    person: Person,
    claims: ClaimsRequest,
    audience: Vec<String>,
    /// The id of the grant that its redemption creates; fixed in advance, so that a second use can revoke it.
    grant_id: String,
    issued_at: Timestamp,
}

impl Record for AuthorizationCode {
    const KIND: &'static str = "code";
    const BESIDE: Option<&'static str> = Some(Grant::KIND);
}

/// An authorization request that ends in a code.
pub struct Approved<'a> {
    /// The requesting client.
    pub client: &'a Client,
    /// The redirect URI.
    pub redirect_uri: &'a str,
    /// The authorization request.
    pub request: &'a AuthorizationRequest,
    /// What the client may have of it.
    pub permitted: Permitted,
    /// The person who is signed in.
    pub signed_in: &'a SignedIn,
}

/// Issues a code in one step with `using`; `None` when that step fails, or when the person has just signed out.
pub async fn issue(issuer: &Issuer, approved: Approved<'_>, using: Batch<'_>) -> Result<Option<String>> {
    let Approved { client, redirect_uri, request, permitted, signed_in } = approved;
    let person = signed_in.person(&permitted.acr);
    let scope = with_provider_scopes(client, permitted.scope.clone(), &person.identity.scopes);
    let code = AuthorizationCode {
        client_id: client.ident.to_string(),
        redirect_uri: redirect_uri.to_owned(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        issuer: issuer.url.to_string(),
        provided: scope.without(&permitted.scope),
        scope,
        person,
        claims: permitted.claims,
        audience: permitted.audience,
        grant_id: issuer.services.random.identifier(),
        issued_at: issuer.now(),
    };
    // The id is no secret; it keeps the code and its grant side by side in the store.
    let value = format!("{}.{}", code.grant_id, issuer.services.random.token());
    let groups = ends_with(&code.person, &code.scope);
    let in_session = Session::require(&signed_in.cookie, using);
    let issued = in_session.put(&value, &code, &groups, code.issued_at + MEMORY)?.commit().await?;
    Ok(issued.then_some(value))
}

/// Redeems a code: RFC 6749 §4.1.3.
///
/// Everything is checked before the code is used, so that a stranger who holds it can neither use nor burn it. Using
/// the code and creating the grant are one step, so a code gives tokens at most once.
pub async fn redeem(
    issuer: &Issuer,
    client: Arc<Client>,
    value: &str,
    redirect_uri: Option<&str>,
    verifier: Option<&str>,
    resource: &[String],
) -> Result<Authorization> {
    let refused = || OAuthError::invalid_grant("the authorization code is not valid");
    let code = issuer.store.get::<AuthorizationCode>(value).await?.ok_or_else(refused)?;
    code.check(&client, redirect_uri, verifier)?;
    let audience = narrowed_audience(&client, &code.audience, resource)?;
    if code.is_good(issuer).await? {
        let using = issuer.store.batch().use_first::<AuthorizationCode>(value);
        if let Some(authorization) = code.begin(issuer, client.clone(), using).await? {
            return Ok(Authorization { audience, ..authorization });
        }
    }
    match issuer.store.consume::<AuthorizationCode>(value).await? {
        // §4.1.2: a second use revokes what the first one gave.
        Some(Consumed::Again(code)) => Err(code.used_again(issuer, &client).await?),
        Some(Consumed::First(_)) | None => Err(refused()),
    }
}

impl AuthorizationCode {
    /// RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9700 §4.8.2.
    fn check(&self, client: &Client, redirect_uri: Option<&str>, verifier: Option<&str>) -> Result<()> {
        if self.client_id != *client.ident {
            return Err(OAuthError::invalid_grant("the authorization code is not valid"));
        }
        match redirect_uri {
            Some(uri) if uri == self.redirect_uri => {}
            Some(_) => {
                return Err(OAuthError::invalid_grant("redirect_uri is not the one of the authorization request"));
            }
            None => return Err(OAuthError::invalid_grant("redirect_uri is missing")),
        }
        match (&self.code_challenge, verifier) {
            (None, None) => Ok(()),
            (Some(challenge), Some(verifier)) if challenge.verify(verifier) => Ok(()),
            (Some(_), Some(_)) => Err(OAuthError::invalid_grant("code_verifier does not match the code_challenge")),
            (Some(_), None) => Err(OAuthError::invalid_grant("code_verifier is missing")),
            // Downgrade: a verifier for a code that was requested without a challenge.
            (None, Some(_)) => Err(OAuthError::invalid_grant("code_verifier was not expected")),
        }
    }

    fn into_grant(self, issuer: &Issuer, client: &Client) -> Grant {
        let now = issuer.now();
        let expires_at = now + issuer.access_token_lifetime(client);
        Grant {
            provided: self.provided,
            claims: self.claims,
            audience: self.audience,
            absolute_expiry: now + issuer.services.lifetimes.of_family(),
            ..Grant::new(&self.client_id, &self.issuer, self.person, self.scope, expires_at)
        }
    }

    /// A used code is remembered longer than it is valid, and the person may have to sign in again.
    async fn is_good(&self, issuer: &Issuer) -> Result<bool> {
        let is_fresh = issuer.now().since(self.issued_at) < LIFETIME;
        Ok(is_fresh && !issuer.signer().await?.has_ended(self.person.authentication.time))
    }

    /// Uses the code and creates its grant in one step with `using`; `None` when that step fails.
    async fn begin(self, issuer: &Issuer, client: Arc<Client>, using: Batch<'_>) -> Result<Option<Authorization>> {
        let (grant_id, nonce) = (self.grant_id.clone(), self.nonce.clone());
        let grant = self.into_grant(issuer, &client);
        begin(issuer, client, grant_id, grant, nonce, using).await
    }

    /// Revokes the grant, even one that an earlier version stores a moment later.
    async fn used_again(self, issuer: &Issuer, client: &Client) -> Result<OAuthError> {
        let grant_id = self.grant_id.clone();
        let grant = self.into_grant(issuer, client);
        let subject = grant.person.identity.subject.clone();
        grant.forbid(issuer, &grant_id).await?;
        audit::token_revoked(&issuer.tenant.name, &client.ident, &subject, "an authorization code was used twice");
        Ok(OAuthError::invalid_grant("the authorization code was already used"))
    }
}
