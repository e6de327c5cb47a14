//! The result of every grant: who may do what, on whose behalf.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::grant_record::Grant;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::scope::Scope;
use crate::registry::client::Client;

/// The result of a grant.
pub struct Authorization {
    /// Who gets the tokens.
    pub holder: Holder,
    /// How the holder proves possession of a token.
    pub confirmation: Confirmation,
    /// `iss` of the tokens: the issuer that received the request, which may be another host of the tenant.
    pub issuer_url: Arc<str>,
    /// What was granted.
    pub scope: Scope,
    /// `aud` of the access token; if empty, the holder.
    pub audience: Vec<String>,
    /// The person who granted it; `None` for a client that acts for itself.
    pub person: Option<PersonalAuthorization>,
    /// Set if it was exchanged for another token.
    pub exchanged: Option<Exchanged>,
}

/// Who gets the tokens.
pub enum Holder {
    /// A client of the tenant.
    Client(Arc<Client>),
    /// An application behind a proxy, by its origin: it is not registered and has no credentials.
    Application(String),
}

/// How the holder of a token proves possession (RFC 7800).
#[derive(Clone, Copy)]
pub enum Confirmation {
    /// RFC 6750: by presenting it.
    Bearer,
}

/// What an exchanged token inherits from its subject token: RFC 8693.
pub struct Exchanged {
    /// Who acts on behalf of the person.
    pub actor: Option<Actor>,
    /// It expires no later than this.
    pub expires_at: Timestamp,
}

/// RFC 8693 §4.1: the actor, with the actor before it inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Actor {
    /// The subject of the actor's token.
    pub sub: String,
    /// The client that the actor's token was issued to.
    pub client_id: String,
    /// The actor before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

/// The part of an [`Authorization`] that comes from a person.
pub struct PersonalAuthorization {
    /// The id of the stored grant that the tokens name.
    pub grant_id: String,
    /// The stored grant.
    pub grant: Grant,
    /// OIDC Core §3.1.2.1; only in the first ID token.
    pub nonce: Option<String>,
    /// The next refresh token: the successor of the one that was used, or the first of its family.
    pub refresh_token: Option<String>,
}

impl Authorization {
    /// All that a person granted to `holder`, as bearer tokens.
    pub fn of_person(holder: Holder, person: PersonalAuthorization) -> Self {
        let grant = &person.grant;
        Self {
            holder,
            confirmation: Confirmation::Bearer,
            issuer_url: grant.issuer.as_str().into(),
            scope: grant.scope.clone(),
            audience: grant.audience.clone(),
            person: Some(person),
            exchanged: None,
        }
    }

    /// `sub` of the tokens: the person, or the client that acts for itself.
    pub fn subject(&self) -> &str {
        match &self.person {
            Some(person) => &person.grant.person.identity.subject,
            None => self.holder.id(),
        }
    }

    /// The lifetime of the access token: the default of its holder, but no longer than the rest of an exchanged
    /// token's.
    pub fn access_token_lifetime(&self, issuer: &Issuer, now: Timestamp) -> Duration {
        let lifetime = match &self.holder {
            Holder::Client(client) => issuer.access_token_lifetime(client),
            Holder::Application(_) => issuer.services.lifetimes.access_token,
        };
        match &self.exchanged {
            Some(exchanged) => lifetime.min(exchanged.expires_at.since(now)),
            None => lifetime,
        }
    }
}

impl Holder {
    /// `client_id` of the tokens.
    pub fn id(&self) -> &str {
        match self {
            Self::Client(client) => &client.ident,
            Self::Application(origin) => origin,
        }
    }
}

impl Confirmation {
    /// `token_type` of RFC 6749 §7.1.
    pub fn token_type(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
        }
    }
}
