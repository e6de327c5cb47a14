//! What a person granted to a client: the record that every token of a person names, and whose removal revokes them.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::issuer::{Issuer, signer};
use crate::protocol::authorization::ClaimsRequest;
use crate::protocol::scope::Scope;
use crate::session::Person;
use crate::session::record::{everything_of, grants_of_session};
use crate::store::{Batch, Loaded, Record, group};

/// A grant. Its tokens are valid while it is in the store; removing it revokes them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The client.
    pub client_id: String,
    /// The issuer that received the request; its tokens keep it.
    pub issuer: String,
    /// The person.
    pub person: Person,
    /// The granted scope.
    pub scope: Scope,
    /// OIDC Core §5.5.
    #[serde(default)]
    pub claims: ClaimsRequest,
    /// The resources requested by name (RFC 8707); empty if there were none.
    #[serde(default)]
    pub audience: Vec<String>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When its refresh tokens expire, even in constant use.
    pub absolute_expiry: Timestamp,
    /// How often a refresh token has replaced its predecessor.
    #[serde(default)]
    pub generation: u64,
    /// Digest of the refresh token that last did so (see `token/refresh_token.rs`).
    #[serde(default)]
    pub current: Option<String>,
    /// Set when the code was used twice, even before the grant was stored: it can never become valid.
    #[serde(default)]
    pub revoked: bool,
}

impl Record for Grant {
    const KIND: &'static str = "grant";
}

impl Grant {
    /// What `person` grants to `client_id` under `issuer` until `expires_at`: no claims by name, no resources, no
    /// refresh tokens.
    pub fn new(client_id: &str, issuer: &str, person: Person, scope: Scope, expires_at: Timestamp) -> Self {
        Self {
            client_id: client_id.to_owned(),
            issuer: issuer.to_owned(),
            person,
            scope,
            claims: ClaimsRequest::default(),
            audience: Vec::new(),
            expires_at,
            absolute_expiry: expires_at,
            generation: 0,
            current: None,
            revoked: false,
        }
    }

    /// Stores a new grant in one step with `batch`, unless its id is taken.
    pub fn create<'s>(&self, id: &str, batch: Batch<'s>) -> Result<Batch<'s>> {
        batch.replace(id, None, self, &self.groups(), Some(self.expires_at))
    }

    /// Changes a grant in one step with `batch`, unless it was changed or removed meanwhile.
    pub fn change<'s>(&self, id: &str, from: &Loaded<Grant>, batch: Batch<'s>) -> Result<Batch<'s>> {
        batch.replace(id, Some(from), self, &self.groups(), Some(self.expires_at))
    }

    /// The valid grant with this `id`.
    pub async fn find(issuer: &Issuer, id: &str) -> Result<Option<Loaded<Grant>>> {
        let signer = signer(&issuer.services.keys, &issuer.tenant).await?;
        let lives = |grant: &Grant| !grant.revoked && !signer.has_ended(grant.person.authentication.time);
        Ok(issuer.store.load::<Grant>(id).await?.filter(|loaded| lives(&loaded.record)))
    }

    /// Removes a grant and thereby revokes every token that names it.
    pub async fn end(issuer: &Issuer, id: &str) -> Result<()> {
        issuer.store.remove::<Grant>(id).await.map(drop)
    }

    /// Revokes a grant that may not be stored yet, so that it cannot be stored later.
    pub async fn forbid(mut self, issuer: &Issuer, id: &str) -> Result<()> {
        self.revoked = true;
        issuer.store.put(id, &self, &[], self.expires_at + Duration::from_secs(60)).await
    }

    /// The groups that end it, and the one that counts it.
    fn groups(&self) -> Vec<String> {
        let mut groups = ends_with(&self.person, &self.scope);
        groups.push(grants_of_client(&self.client_id));
        groups
    }
}

/// The group of all grants to a client. Only for counting: it may be large.
pub fn grants_of_client(client_id: &str) -> String {
    group("client-grants", client_id)
}

/// The groups that end what `person` granted: all of the person, and the session.
pub fn ends_with(person: &Person, scope: &Scope) -> Vec<String> {
    let session = session_of(person, scope).map(grants_of_session);
    std::iter::once(everything_of(&person.identity.subject)).chain(session).collect()
}

/// The session that ends what `person` granted; none if it was for offline use (OIDC Core §11).
fn session_of<'p>(person: &'p Person, scope: &Scope) -> Option<&'p str> {
    person.sid.as_deref().filter(|_| !scope.contains("offline_access"))
}
