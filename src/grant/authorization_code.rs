//! Authorization codes: RFC 6749 §4.1, RFC 7636, RFC 9700 §4.8.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{begin, check_grant, check_targets, is_listed, narrowed_audience, permitted_scope, with_provider_scopes};
use crate::audit;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::authorization::{AuthorizationRequest, ClaimsRequest};
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::pkce::{ChallengeMethod, CodeChallenge};
use crate::protocol::scope::Scope;
use crate::protocol::token::GrantType;
use crate::registry::client::Client;
use crate::session::Session;
use crate::store::{Batch, Consumed, Record};
use crate::token::grant_record::ends_with;
use crate::token::{Authorization, Grant, Person, claims};

/// RFC 6749 §4.1.2 recommends ten minutes at most; a client redeems at once.
const LIFETIME: Duration = Duration::from_secs(60);

/// What a sign-in with a password may be called (`acr`, OIDC Core §2).
pub const LEVELS: [&str; 2] = ["0", "1"];

/// How long a used code is remembered: as long as its reuse should end what it gave.
const MEMORY: Duration = Duration::from_secs(10 * 60);

/// What a code stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorizationCode {
    client_id: String,
    redirect_uri: String,
    code_challenge: Option<CodeChallenge>,
    nonce: Option<String>,
    issuer: String,
    scope: Scope,
    person: Person,
    claims: ClaimsRequest,
    audience: Vec<String>,
    /// The id of the grant that its redemption makes; known in advance, so that a second use can end it.
    grant_id: String,
    issued_at: Timestamp,
}

impl Record for AuthorizationCode {
    const KIND: &'static str = "code";
    const BESIDE: Option<&'static str> = Some(Grant::KIND);
}

/// Checks what a client asks of `/authorize`, before anybody signs in: grant, PKCE and scope.
pub fn check_request(client: &Client, request: &AuthorizationRequest) -> Result<Scope> {
    check_grant(client, GrantType::AuthorizationCode)?;
    match &request.code_challenge {
        // RFC 9700 §2.1.1: public clients must, and others may be told to.
        None if client.needs_pkce() => {
            return Err(OAuthError::invalid_request("code_challenge is missing: this client must use PKCE with S256"));
        }
        Some(challenge) if challenge.method == ChallengeMethod::Plain && !client.allow_plain_pkce => {
            return Err(OAuthError::invalid_request("code_challenge_method must be S256"));
        }
        _ => {}
    }
    acr(request)?;
    check_targets(client, &request.resource)?;
    permitted_scope(client, &request.scope)
}

/// What a person is asked to agree to: the scope, and those that the claims which the client asks for by name belong to.
pub fn asked_scope(client: &Client, request: &AuthorizationRequest) -> Result<Scope> {
    let mut scope = permitted_scope(client, &request.scope)?;
    let claims = permitted_claims(client, &request.claims);
    claims::scopes_of(&claims).for_each(|token| scope.add(token));
    Ok(scope)
}

/// OIDC Core §5.5: a claim that belongs to a scope is for clients that may ask for the scope.
fn permitted_claims(client: &Client, asked: &ClaimsRequest) -> ClaimsRequest {
    claims::narrowed(asked, |scope| is_listed(client, scope))
}

/// Issues a code for a person who agreed and is signed in by `cookie`, in one step with what `using` holds; gives `None`
/// when that cannot be, or when the person has just signed out.
pub async fn issue(
    issuer: &Issuer,
    client: &Client,
    redirect_uri: &str,
    request: &AuthorizationRequest,
    (cookie, session): (&str, &Session),
    using: Batch<'_>,
) -> Result<Option<String>> {
    let scope = check_request(client, request)?;
    let now = issuer.now();
    let code = AuthorizationCode {
        client_id: client.ident.to_string(),
        redirect_uri: redirect_uri.to_owned(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        issuer: issuer.url.to_string(),
        scope: with_provider_scopes(client, scope, &session.identity.scopes),
        person: Person {
            identity: session.identity.clone(),
            auth_time: session.auth_time,
            sid: Some(session.sid.clone()),
            acr: acr(request)?,
            amr: vec!["pwd".into()],
        },
        claims: permitted_claims(client, &request.claims),
        audience: request.resource.clone(),
        grant_id: issuer.services.random.identifier(),
        issued_at: now,
    };
    // The id is no secret; what it gives is side by side in the store.
    let value = format!("{}.{}", code.grant_id, issuer.services.random.token());
    let in_session = Session::require(cookie, using);
    let issued = in_session.put(&value, &code, &ends_with(&code.person, &code.scope), now + MEMORY)?.commit().await?;
    Ok(issued.then_some(value))
}

/// OIDC Core §2: a password is level 1, and the client's first wish is met where it is that.
///
/// Errors: `unmet_authentication_requirements` when the client accepts nothing of it (§5.5.1.1).
fn acr(request: &AuthorizationRequest) -> Result<String> {
    let (wanted, essential) = request.claims.wanted_acr();
    let known = |wish: &&str| LEVELS.contains(wish);
    match wanted.into_iter().find(known) {
        Some(acr) => Ok(acr.to_owned()),
        None if essential => Err(OAuthError::new(
            ErrorCode::UnmetAuthenticationRequirements,
            "nobody can sign in here by any of the demanded acr values",
        )),
        None => Ok(request.acr_values.iter().map(String::as_str).find(known).unwrap_or("1").to_owned()),
    }
}

/// Redeems a code: RFC 6749 §4.1.3.
///
/// Everything is checked before the code is used, so that a stranger who holds it can neither use nor burn it. Its use and
/// the grant that it gives are one step, so that it gives tokens once at most.
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
            // Downgrade: a verifier for a code that was asked without a challenge.
            (None, Some(_)) => Err(OAuthError::invalid_grant("code_verifier was not expected")),
        }
    }

    fn into_grant(self, issuer: &Issuer, client: &Client) -> Grant {
        let now = issuer.now();
        Grant {
            client_id: self.client_id,
            issuer: self.issuer,
            person: self.person,
            scope: self.scope,
            claims: self.claims,
            audience: self.audience,
            expires_at: now + issuer.access_token_lifetime(client),
            absolute_expiry: now + issuer.services.lifetimes.refresh_absolute,
            generation: 0,
            current: None,
            revoked: false,
        }
    }

    /// A used code is remembered longer than it is good, and the person may have to sign in anew.
    async fn is_good(&self, issuer: &Issuer) -> Result<bool> {
        let is_fresh = issuer.now().since(self.issued_at) < LIFETIME;
        Ok(is_fresh && !issuer.signer().await?.has_ended(self.person.auth_time))
    }

    /// Gives what the code stands for, in one step with what `using` holds; `None` when that cannot be.
    async fn begin(self, issuer: &Issuer, client: Arc<Client>, using: Batch<'_>) -> Result<Option<Authorization>> {
        let (grant_id, nonce) = (self.grant_id.clone(), self.nonce.clone());
        let grant = self.into_grant(issuer, &client);
        begin(issuer, client, grant_id, grant, nonce, using).await
    }

    /// Ends the grant, also one that an earlier version, which stores it a moment later, has not stored yet.
    async fn used_again(self, issuer: &Issuer, client: &Client) -> Result<OAuthError> {
        let grant_id = self.grant_id.clone();
        let grant = self.into_grant(issuer, client);
        let subject = grant.person.identity.subject.clone();
        grant.forbid(issuer, &grant_id).await?;
        audit::token_revoked(&issuer.tenant.name, &client.ident, &subject, "an authorization code was used twice");
        Ok(OAuthError::invalid_grant("the authorization code was already used"))
    }
}
