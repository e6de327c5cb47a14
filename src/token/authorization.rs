//! What every grant ends in: who may do what, on whose behalf.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::grant_record::Grant;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::scope::Scope;
use crate::registry::client::Client;

/// What a grant ended in.
pub struct Authorization {
    /// Who gets the tokens.
    pub holder: Holder,
    /// How the holder proves that a token is theirs.
    pub confirmation: Confirmation,
    /// `iss` of the tokens: the issuer under which the grant was asked, which may be another host of the tenant.
    pub issuer_url: Arc<str>,
    /// What was granted.
    pub scope: Scope,
    /// `aud` of the access token; empty: the holder.
    pub audience: Vec<String>,
    /// Whom the tokens speak of; `None`: the client itself.
    pub person: Option<PersonalAuthorization>,
    /// Where it comes from another token.
    pub exchanged: Option<Exchanged>,
}

/// Who gets the tokens.
pub enum Holder {
    /// A client of the tenant.
    Client(Arc<Client>),
    /// An application behind a proxy, by its origin: it is not registered and has no credentials.
    Application(String),
}

/// How the holder of a token proves that it is theirs (RFC 7800).
#[derive(Clone, Copy)]
pub enum Confirmation {
    /// RFC 6750: by having it.
    Bearer,
}

/// What an exchanged token keeps of the one that it was exchanged for: RFC 8693.
pub struct Exchanged {
    /// Who acts on behalf of the person.
    pub actor: Option<Actor>,
    /// It lives no longer than this.
    pub expires_at: Timestamp,
}

/// RFC 8693 §4.1: who acts, and inside it who acted before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Actor {
    /// Whom the actor's token speaks of.
    pub sub: String,
    /// The client that the actor's token was issued to.
    pub client_id: String,
    /// Who acted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
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

impl Authorization {
    /// For all that a person granted to `holder`, who proves a token by having it.
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

    /// How long an access token is good: as long as those of its holder, and no longer than the token that it was
    /// exchanged for.
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
