//! What a person granted to a client: the record that every token of a person names, and whose removal revokes them.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::clock::Timestamp;
use crate::issuer::{Issuer, signer};
use crate::login::people::LoginProvider;
use crate::protocol::authorization::ClaimsRequest;
use crate::protocol::scope::Scope;
use crate::protocol::token::GrantType;
use crate::session::record::{everything_of, grants_of_session};
use crate::session::{Identity, Person};
use crate::store::{Batch, Loaded, Record, Replacement, group};

/// A grant. Its tokens are valid while it is in the store; removing it revokes them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The client.
    pub client_id: String,
    /// The issuer that received the request; its tokens keep it.
    pub issuer: String,
    /// Whether that is an application behind the proxy, by its origin, which nobody declares. `None` in records of an
    /// earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<bool>,
    /// The person.
    pub person: Person,
    /// The granted scope.
    pub scope: Scope,
    /// What of the scope the tenant gave the person, without being asked for it.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub provided: Scope,
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
    /// When the login provider last confirmed the person, apart from the sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
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
            application: Some(false),
            person,
            scope,
            provided: Scope::default(),
            claims: ClaimsRequest::default(),
            audience: Vec::new(),
            expires_at,
            absolute_expiry: expires_at,
            generation: 0,
            current: None,
            confirmed_at: None,
            revoked: false,
        }
    }

    /// The grant of the protocol that its refresh tokens come from: a device gets a sign-in of its own, outside of the
    /// session of its person.
    pub fn began_with(&self) -> GrantType {
        if self.person.sid.is_some() { GrantType::AuthorizationCode } else { GrantType::DeviceCode }
    }

    /// Whether it is for an application behind the proxy, and not for a client.
    pub fn is_of_application(&self, issuer: &Issuer) -> bool {
        self.application.unwrap_or_else(|| {
            let host = Url::parse(&self.client_id).ok().and_then(|url| url.host_str().map(str::to_owned));
            issuer.tenant.interceptor.enabled && host.is_some_and(|host| issuer.serves_host(&host))
        })
    }

    /// Whether its person has been removed from the tenant's list, or given another password.
    pub fn is_off_the_list(&self, issuer: &Issuer) -> bool {
        LoginProvider::is_off_the_list(&issuer.tenant, &self.person.identity)
    }

    /// When the login provider last confirmed the person.
    pub fn confirmed_at(&self) -> Timestamp {
        self.confirmed_at.unwrap_or(self.person.authentication.time)
    }

    /// Stores a new grant in one step with `batch`, unless its id is taken.
    pub fn create<'s>(&self, id: &str, batch: Batch<'s>) -> Result<Batch<'s>> {
        batch.replace(id, None, self, &self.groups(), Some(self.expires_at))
    }

    /// Changes a grant in one step with `batch`, unless it was changed or removed meanwhile.
    pub fn change<'s>(&self, id: &str, from: &Loaded<Grant>, batch: Batch<'s>) -> Result<Batch<'s>> {
        batch.replace(id, Some(from), self, &self.groups(), Some(self.expires_at))
    }

    /// Stores that the login provider confirmed `person` at `at`, unless the grant has ended or another request was faster.
    pub async fn confirm(issuer: &Issuer, id: &str, person: &Identity, at: Timestamp) -> Result<()> {
        let confirmed = |found: Option<&Self>| {
            let mut record = found.filter(|found| found.confirmed_at() < at)?.clone();
            record.confirmed_at = Some(at);
            record.person.identity = person.clone();
            let (groups, expires_at) = (record.groups(), Some(record.expires_at));
            Some(Replacement { record, groups, expires_at })
        };
        issuer.store.update(id, confirmed).await.map(drop)
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
