//! What a person granted to a client: the record that every token of a person names, and that ends them all.

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

/// A living grant. As long as it is in the store, its tokens are good; whoever removes it ends them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// To whom.
    pub client_id: String,
    /// The issuer under which it was asked; its tokens keep it.
    pub issuer: String,
    /// By whom.
    pub person: Person,
    /// What.
    pub scope: Scope,
    /// OIDC Core §5.5.
    #[serde(default)]
    pub claims: ClaimsRequest,
    /// Which resources were asked for when it was given (RFC 8707); empty: none by name.
    #[serde(default)]
    pub audience: Vec<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When its refresh tokens end, however busily they are used.
    pub absolute_expiry: Timestamp,
    /// How often a refresh token has taken the place of its predecessor.
    #[serde(default)]
    pub generation: u64,
    /// Digest of the refresh token that did so last (see `token/refresh_token.rs`).
    #[serde(default)]
    pub current: Option<String>,
    /// Set when the code was used twice, also before the grant was there: nothing may bring it to life.
    #[serde(default)]
    pub revoked: bool,
}

impl Record for Grant {
    const KIND: &'static str = "grant";
}

impl Grant {
    /// What `person` grants to `client_id` under `issuer`, until `expires_at`: no claims by name, no resources, no refresh
    /// tokens.
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

    /// Stores a new grant along with what `batch` holds, unless something is already there under its id.
    pub fn create<'s>(&self, id: &str, batch: Batch<'s>) -> Result<Batch<'s>> {
        batch.replace(id, None, self, &self.groups(), Some(self.expires_at))
    }

    /// Changes a grant along with what `batch` holds, unless somebody changed or ended it meanwhile.
    pub fn change<'s>(&self, id: &str, from: &Loaded<Grant>, batch: Batch<'s>) -> Result<Batch<'s>> {
        batch.replace(id, Some(from), self, &self.groups(), Some(self.expires_at))
    }

    /// The living grant under `id`.
    pub async fn find(issuer: &Issuer, id: &str) -> Result<Option<Loaded<Grant>>> {
        let signer = signer(&issuer.services.keys, &issuer.tenant).await?;
        let lives = |grant: &Grant| !grant.revoked && !signer.has_ended(grant.person.authentication.time);
        Ok(issuer.store.load::<Grant>(id).await?.filter(|loaded| lives(&loaded.record)))
    }

    /// Ends a grant and with it every token that names it.
    pub async fn end(issuer: &Issuer, id: &str) -> Result<()> {
        issuer.store.remove::<Grant>(id).await.map(drop)
    }

    /// Ends a grant that may not be stored yet, and sees to it that it cannot be stored later.
    pub async fn forbid(mut self, issuer: &Issuer, id: &str) -> Result<()> {
        self.revoked = true;
        issuer.store.put(id, &self, &[], self.expires_at + Duration::from_secs(60)).await
    }

    /// The groups in which it ends, and the one in which it is counted.
    fn groups(&self) -> Vec<String> {
        let mut groups = ends_with(&self.person, &self.scope);
        groups.push(grants_of_client(&self.client_id));
        groups
    }
}

/// The group of all that a client was granted. Only to count: it may be large.
pub fn grants_of_client(client_id: &str) -> String {
    group("client-grants", client_id)
}

/// The groups in which something ends that `person` granted: all of the person, and the session.
pub fn ends_with(person: &Person, scope: &Scope) -> Vec<String> {
    let session = session_of(person, scope).map(grants_of_session);
    std::iter::once(everything_of(&person.identity.subject)).chain(session).collect()
}

/// The session with which something ends that `person` granted; none where it was given for offline use (OIDC Core §11).
fn session_of<'p>(person: &'p Person, scope: &Scope) -> Option<&'p str> {
    person.sid.as_deref().filter(|_| !scope.contains("offline_access"))
}
