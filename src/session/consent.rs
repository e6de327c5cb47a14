//! What a person has agreed to, so that they are asked only once.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::record::everything_of;
use crate::clock::Timestamp;
use crate::protocol::scope::Scope;
use crate::store::{Record, Replacement, Store};

/// A consent expires after a year.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// One person's consent to one client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Consent {
    scope: Scope,
}

impl Record for Consent {
    const KIND: &'static str = "consent";
}

impl Consent {
    /// Whether the person has agreed to all of `scope`.
    pub async fn covers(store: &Store, subject: &str, client_id: &str, scope: &Scope) -> Result<bool> {
        let consent = store.get::<Consent>(&id(subject, client_id)).await?;
        Ok(consent.is_some_and(|consent| scope.is_within(&consent.scope)))
    }

    /// Adds `scope` to what the person agreed to before.
    pub async fn remember(store: &Store, subject: &str, client_id: &str, scope: Scope, now: Timestamp) -> Result<()> {
        let add = |before: Option<&Self>| {
            let mut scope = scope.clone();
            before.into_iter().flat_map(|before| before.scope.iter()).for_each(|token| scope.add(token));
            let groups = vec![everything_of(subject)];
            Some(Replacement { record: Self { scope }, groups, expires_at: Some(now + LIFETIME) })
        };
        store.update(&id(subject, client_id), add).await.map(drop)
    }
}

/// A subject has no control characters, so the pair is unambiguous.
fn id(subject: &str, client_id: &str) -> String {
    format!("{subject}\n{client_id}")
}
