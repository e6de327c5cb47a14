//! Refresh tokens: RFC 6749 §6, RFC 9700 §4.14.2.
//!
//! A used token may be used again until a token issued from it has been used: a lost response costs nobody their
//! session. Any other reuse revokes the family. The grant counts generations and remembers which token advanced it
//! last, so the rule is one compare-and-set, and of many parallel uses exactly one advances the family.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Authorization, Grant, Holder, PersonalAuthorization};
use crate::audit;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::registry::client::Client;
use crate::session::Identity;
use crate::store::{Batch, Contended, Loaded, Record, TRIES, digest};

/// One refresh token. Only the client knows its value; the store has its digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefreshToken {
    grant_id: String,
    /// 0 for the first of a family, otherwise one more than that of its predecessor.
    generation: u64,
    /// Digest of its predecessor.
    parent: Option<String>,
}

impl Record for RefreshToken {
    const KIND: &'static str = "refresh";
    const BESIDE: Option<&'static str> = Some(Grant::KIND);
}

/// The state of a token within its family.
enum Standing {
    /// It advanced the family last, or is the first: no successor has been used.
    Current,
    /// It was issued from the current one and is used for the first time.
    Next,
    /// A successor of it, or of its parent, has been used.
    Superseded,
}

impl RefreshToken {
    fn standing(&self, own: &str, grant: &Grant) -> Standing {
        if self.generation == grant.generation && grant.current.as_deref() == Some(own) {
            Standing::Current
        } else if self.generation == grant.generation + 1 && self.parent == grant.current {
            Standing::Next
        } else {
            Standing::Superseded
        }
    }
}

/// Gives a new grant its first refresh token, which is stored with `batch`; the grant is stored later.
pub fn first<'s>(
    issuer: &Issuer,
    client: &Client,
    grant_id: &str,
    grant: &mut Grant,
    batch: Batch<'s>,
) -> anyhow::Result<(String, Batch<'s>)> {
    let value = fresh(issuer, grant_id);
    let expires_at = issuer.now() + issuer.refresh_token_lifetime(client);
    grant.current = Some(digest(&value));
    grant.expires_at = expires_at.min(grant.absolute_expiry);
    let token = RefreshToken { grant_id: grant_id.to_owned(), generation: 0, parent: None };
    let batch = batch.put(&value, &token, &[], grant.expires_at)?;
    Ok((value, batch))
}

/// The value of a new token. It begins with the id of its grant, which its client knows from the access token, so that
/// both records can be read at once and lie side by side.
fn fresh(issuer: &Issuer, grant_id: &str) -> String {
    format!("{grant_id}.{}", issuer.services.random.token())
}

/// The records of a token and of its grant.
async fn load(issuer: &Issuer, value: &str) -> Result<Option<(RefreshToken, Loaded<Grant>)>> {
    let hint = value.split_once('.').map(|(grant_id, _)| grant_id);
    let early = async {
        match hint {
            Some(grant_id) => Grant::find(issuer, grant_id).await,
            None => Ok(None),
        }
    };
    let (token, early) = tokio::join!(issuer.store.get::<RefreshToken>(value), early);
    let Some(token) = token? else { return Ok(None) };
    let grant = match hint {
        Some(grant_id) if grant_id == token.grant_id => early?,
        // A token of an earlier version.
        _ => Grant::find(issuer, &token.grant_id).await?,
    };
    Ok(grant.map(|grant| (token, grant)))
}

/// Counts a token that was stored.
pub fn count_stored(issuer: &Issuer) {
    issuer.count(|counters| &counters.token_stored);
}

/// A presented refresh token that may be used, with its grant; nothing is stored yet.
pub struct PresentedToken {
    value: String,
    token: RefreshToken,
    grant: Loaded<Grant>,
}

impl PresentedToken {
    /// The grant.
    pub fn grant(&self) -> &Grant {
        &self.grant.record
    }
}

/// Finds a presented token.
///
/// Errors: `invalid_grant` if it is unknown, expired or another client's (which cannot burn it), or if it was
/// superseded, which revokes the family.
pub async fn find(issuer: &Issuer, client: &Client, value: String) -> Result<PresentedToken> {
    let refused = || OAuthError::invalid_grant("the refresh token is not valid");
    let (token, grant) = load(issuer, &value).await?.ok_or_else(refused)?;
    if grant.record.client_id != *client.ident {
        return Err(refused());
    }
    let presented = PresentedToken { value, token, grant };
    if let Standing::Superseded = presented.token.standing(&digest(&presented.value), presented.grant()) {
        return Err(presented.reused(issuer).await?);
    }
    Ok(presented)
}

impl PresentedToken {
    /// Ends the grant, and so the family.
    pub async fn end(&self, issuer: &Issuer) -> Result<()> {
        Ok(Grant::end(issuer, &self.token.grant_id).await?)
    }

    /// Uses the token: advances the family if it is the first use, and issues the next token. `person` is who the person
    /// of the grant is now.
    ///
    /// Errors: `invalid_grant` if the family was revoked or advanced meanwhile.
    pub async fn redeem(
        mut self,
        issuer: &Issuer,
        client: Arc<Client>,
        person: Identity,
        scope: Scope,
        audience: Vec<String>,
    ) -> Result<Authorization> {
        let next = fresh(issuer, &self.token.grant_id);
        let grant = self.advance(issuer, &client, &person, &next).await?;
        count_stored(issuer);
        let person =
            PersonalAuthorization { grant_id: self.token.grant_id, grant, nonce: None, refresh_token: Some(next) };
        Ok(Authorization { scope, audience, ..Authorization::of_person(Holder::Client(client), person) })
    }

    /// Stores the token `next`, and returns the grant as it is then.
    async fn advance(&mut self, issuer: &Issuer, client: &Client, person: &Identity, next: &str) -> Result<Grant> {
        let own = digest(&self.value);
        let token = RefreshToken {
            grant_id: self.token.grant_id.clone(),
            generation: self.token.generation + 1,
            parent: Some(own.clone()),
        };
        let lifetime = issuer.refresh_token_lifetime(client);
        for _ in 0..TRIES {
            let is_news = self.grant().person.identity != *person;
            let mut grant = self.grant.record.clone();
            grant.person.identity = person.clone();
            grant.confirmed_at = Some(issuer.now());
            let expires_at = (issuer.now() + lifetime).min(grant.absolute_expiry);
            let advances = match self.token.standing(&own, &grant) {
                Standing::Superseded => return Err(self.reused(issuer).await?),
                Standing::Current => grant.expires_at < expires_at,
                Standing::Next => {
                    grant.generation = self.token.generation;
                    grant.current = Some(own.clone());
                    true
                }
            };
            grant.expires_at = grant.expires_at.max(expires_at);
            let mut batch = issuer.store.batch().put(next, &token, &[], grant.expires_at)?;
            batch = if advances || is_news {
                grant.change(&self.token.grant_id, &self.grant, batch)?
            } else {
                batch.require::<Grant>(&self.token.grant_id)
            };
            if batch.commit().await? {
                return Ok(grant);
            }
            // Another use was faster: look again.
            self.grant = Grant::find(issuer, &self.token.grant_id)
                .await?
                .ok_or_else(|| OAuthError::invalid_grant("the refresh token is not valid"))?;
        }
        Err(Contended::of::<Grant>().into())
    }

    /// RFC 9700 §4.14.2: there is a copy in other hands, so the family is revoked.
    async fn reused(&self, issuer: &Issuer) -> Result<OAuthError> {
        Grant::end(issuer, &self.token.grant_id).await?;
        let grant = self.grant();
        let reason = "a refresh token was used again after its successor; its family was revoked";
        audit::token_revoked(&issuer.tenant.name, &grant.client_id, &grant.person.identity.subject, reason);
        Ok(OAuthError::invalid_grant("the refresh token was already used"))
    }
}

/// RFC 7009 §2.1: revokes a refresh token and its grant. Returns whether `value` was one.
///
/// Errors: `invalid_grant` for a valid one of another client.
pub async fn revoke(issuer: &Issuer, client_id: &str, value: &str) -> Result<bool> {
    let Some(token) = issuer.store.get::<RefreshToken>(value).await? else { return Ok(false) };
    let Some(grant) = Grant::find(issuer, &token.grant_id).await? else { return Ok(true) };
    if grant.record.client_id != client_id {
        return Err(OAuthError::invalid_grant("the token was issued to another client"));
    }
    Grant::end(issuer, &token.grant_id).await?;
    audit::token_revoked(&issuer.tenant.name, client_id, &grant.record.person.identity.subject, "client");
    Ok(true)
}

/// RFC 7662: the grant of an active refresh token, and when it expires.
pub async fn active(issuer: &Issuer, value: &str) -> Result<Option<(Grant, Timestamp)>> {
    let Some((token, grant)) = load(issuer, value).await? else { return Ok(None) };
    Ok(match token.standing(&digest(value), &grant.record) {
        Standing::Superseded => None,
        _ if grant.record.is_off_the_list(issuer) => None,
        Standing::Current | Standing::Next => Some((grant.record.clone(), grant.record.expires_at)),
    })
}
