//! Access tokens: RFC 9068, with additional claims that resource servers of this server rely on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::authorization::{Actor, Authorization};
use super::grant_record::Grant;
use crate::audit;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::key::{Expired, SignedWith, TenantSigner, TokenType};
use crate::protocol::audience::Audience;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::scope::{self, Scope};
use crate::protocol::token::GrantType;
use crate::registry::client::Client;
use crate::session::Person;
use crate::store::Record;

/// RFC 9068 §2.2.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the claims are named by RFC 9068, the others after what they are")]
pub struct AccessTokenClaims {
    pub iss: String,
    pub sub: String,
    pub aud: Audience,
    pub exp: Timestamp,
    pub iat: Timestamp,
    pub jti: String,
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    pub tenant: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Map<String, Value>>,
    /// RFC 8693 §4.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// The stored grant; when it is gone, the token is no longer active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<String>,
}

/// An access token that was revoked on its own, kept until it would have expired: RFC 7009.
#[derive(Serialize, Deserialize)]
struct RevokedToken {}

impl Record for RevokedToken {
    const KIND: &'static str = "revoked";
}

impl AccessTokenClaims {
    /// The claims for an authorization.
    pub fn new(issuer: &Issuer, authorization: &Authorization, now: Timestamp, expires_at: Timestamp) -> Self {
        let person = authorization.person.as_ref();
        let identity = person.map(|person| &person.grant.person.identity);
        Self {
            iss: authorization.issuer_url.to_string(),
            sub: authorization.subject().to_owned(),
            aud: match authorization.audience.as_slice() {
                [] => Audience::One(authorization.holder.id().to_owned()),
                [one] => Audience::One(one.clone()),
                several => Audience::Several(several.to_vec()),
            },
            exp: expires_at,
            iat: now,
            jti: issuer.services.random.identifier(),
            client_id: authorization.holder.id().to_owned(),
            scope: authorization.scope.clone(),
            tenant: issuer.tenant.name.to_string(),
            auth_time: person.map(|person| person.grant.person.authentication.time),
            role: identity.map(|identity| identity.role.clone()),
            user: identity.map(|identity| identity.username.clone()),
            profile: identity.map(|identity| identity.profile.clone()).filter(|profile| !profile.is_empty()),
            act: authorization.exchanged.as_ref().and_then(|exchanged| exchanged.actor.clone()),
            grant_id: person.map(|person| person.grant_id.clone()),
        }
    }

    /// The subject as an actor, after `before`.
    pub fn as_actor(&self, before: Option<Actor>) -> Actor {
        Actor { sub: self.sub.clone(), client_id: self.client_id.clone(), act: before.map(Box::new) }
    }
}

/// Signs with the tenant's algorithm; no I/O.
pub fn sign(signer: &TenantSigner, claims: &AccessTokenClaims) -> Result<String> {
    Ok(signer.sign(TokenType::Access, claims, claims.exp)?)
}

/// An active access token (RFC 7662 §2.2), with its grant.
pub struct ActiveAccessToken {
    /// Its claims.
    pub claims: AccessTokenClaims,
    /// The person's grant; `None` for a client that acts for itself.
    pub grant: Option<Grant>,
}

/// Verifies signature, type, tenant and issuer, then checks in the store that neither token nor grant was revoked, that
/// the client is still there, and that the tenant's list has not lost the person.
///
/// Errors: `invalid_token` (RFC 6750 §3.1) for everything that is not an active access token of this tenant.
pub async fn verify(issuer: &Issuer, token: &str) -> Result<ActiveAccessToken> {
    let (claims, signed_with) = verify_signature(issuer, token).await?;
    if issuer.store.get::<RevokedToken>(&claims.jti).await?.is_some() {
        return Err(OAuthError::invalid_token("the access token was revoked"));
    }
    let grant = match &claims.grant_id {
        None => None,
        Some(id) => match Grant::find(issuer, id).await? {
            Some(loaded) => Some(loaded.record),
            None => return Err(OAuthError::invalid_token("the access token was revoked")),
        },
    };
    let is_of_application = grant.as_ref().is_some_and(|grant| grant.is_of_application(issuer));
    if !is_of_application && issuer.client(&claims.client_id).await?.is_none() {
        return Err(OAuthError::invalid_token("the client of the access token is gone"));
    }
    if grant.as_ref().is_some_and(|grant| grant.is_off_the_list(issuer)) {
        return Err(OAuthError::invalid_token("the person of the access token may not sign in any more"));
    }
    if signed_with == SignedWith::SharedSecret && !is_bounded(issuer, &claims, grant.as_ref()).await? {
        let reason = anyhow::anyhow!("a token of HS256 that says more than was granted");
        return Err(OAuthError::invalid_token("the access token is not valid").because(reason));
    }
    Ok(ActiveAccessToken { claims, grant })
}

/// Whether claims that every resource server could have written, because it has the secret of HS256, say no more than was
/// granted: by the person, in the living grant that they name; without a grant, no more than the client may have for
/// itself now.
async fn is_bounded(issuer: &Issuer, claims: &AccessTokenClaims, grant: Option<&Grant>) -> Result<bool> {
    let client = issuer.client(&claims.client_id).await?;
    let client = client.as_deref();
    Ok(match grant {
        Some(grant) => is_of_person(claims, &grant.person) && is_within(claims, grant, client),
        None => client.is_some_and(|client| is_of_client(claims, client)),
    })
}

fn is_of_person(claims: &AccessTokenClaims, person: &Person) -> bool {
    let identity = &person.identity;
    let is_own = |(name, value): (&String, &Value)| identity.profile.get(name) == Some(value);
    claims.sub == identity.subject
        && claims.user.as_ref().is_none_or(|user| *user == identity.username)
        && claims.role.as_ref().is_none_or(|role| *role == identity.role)
        && claims.auth_time.is_none_or(|time| time == person.authentication.time)
        && claims.profile.iter().flatten().all(is_own)
}

/// RFC 8693: a client that may exchange tokens has those of other clients' grants, for every resource that it may name.
fn is_within(claims: &AccessTokenClaims, grant: &Grant, client: Option<&Client>) -> bool {
    let exchanges = client.is_some_and(|client| client.may_use(GrantType::TokenExchange));
    let is_direct = claims.client_id == grant.client_id && claims.act.is_none();
    let is_granted = |target: &String| match grant.audience.as_slice() {
        [] => *target == claims.client_id || client.is_some_and(|client| client.may_target(target)),
        granted => granted.contains(target),
    };
    let is_permitted = |target: &String| client.is_some_and(|client| client.may_target(target));
    // A refresh takes what the tenant gives the person by now.
    let is_provided = |token: &str| {
        let given = grant.person.identity.scopes.iter().any(|scope| scope == token);
        given && client.is_some_and(|client| client.provider_scopes.iter().any(|pattern| pattern.matches(token)))
    };
    claims.scope.iter().all(|token| grant.scope.contains(token) || is_provided(token))
        && (is_direct || exchanges)
        && claims.aud.as_slice().iter().all(|target| is_granted(target) || (exchanges && is_permitted(target)))
}

fn is_of_client(claims: &AccessTokenClaims, client: &Client) -> bool {
    let AccessTokenClaims { role, user, profile, auth_time, act, .. } = claims;
    client.may_use(GrantType::ClientCredentials)
        && !client.is_public()
        && claims.sub == claims.client_id
        && (role.is_none() && user.is_none() && profile.is_none() && auth_time.is_none() && act.is_none())
        && claims.scope.iter().all(|token| client.lists_scope(token) && !scope::is_personal(token))
        && claims.aud.as_slice().iter().all(|target| client.may_target(target))
}

/// Verifies what does not need the store.
async fn verify_signature(issuer: &Issuer, token: &str) -> Result<(AccessTokenClaims, SignedWith)> {
    let refused = || OAuthError::invalid_token("the access token is not valid");
    let signer = issuer.signer().await?;
    let verified = signer.verify_signature(token, TokenType::Access, Expired::Refuse).await;
    let (claims, signed_with): (AccessTokenClaims, _) = verified.map_err(|reason| refused().because(reason))?;
    // Keys may be shared by all tenants, so the signature alone does not identify the tenant.
    if claims.tenant != *issuer.tenant.name || !issuer.is_own(&claims.iss) {
        return Err(refused());
    }
    Ok((claims, signed_with))
}

/// RFC 7009 §2.1: revokes this token alone. Invalid tokens are ignored.
///
/// Errors: `invalid_grant` for one of another client.
pub async fn revoke(issuer: &Issuer, client_id: &str, token: &str) -> Result<()> {
    match verify(issuer, token).await {
        Ok(ActiveAccessToken { claims, .. }) if claims.client_id == client_id => {
            issuer.store.put(&claims.jti, &RevokedToken {}, &[], claims.exp).await?;
            audit::token_revoked(&issuer.tenant.name, client_id, &claims.sub, "client");
            Ok(())
        }
        Ok(_) => Err(OAuthError::invalid_grant("the token was issued to another client")),
        // §2.2.1: a failed check must not be reported as a revocation.
        Err(error) if error.code != ErrorCode::InvalidToken => Err(error),
        _ => Ok(()),
    }
}
