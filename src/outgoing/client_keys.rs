//! The keys of clients that publish them at a `jwks_uri` and prove themselves by a signature (RFC 7523): fetched when
//! needed, kept for a while, and fetched again when a client signs with a key that is not known yet.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::Mutex;

use super::call::Outgoing;
use crate::clock::Timestamp;
use crate::protocol::client_keys::ClientKeys;

/// How long a fetched set is good without asking again.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How long it stays in use when its address does not answer any more.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long nobody asks again, whatever keys a client names.
const PAUSE: Duration = Duration::from_secs(60);

/// The sets of all clients. Cheap to clone.
#[derive(Clone)]
pub struct PublishedClientKeys {
    outgoing: Outgoing,
    sets: Arc<std::sync::Mutex<HashMap<String, Arc<Mutex<Fetched>>>>>,
}

/// What is known of one address. The holder of its lock fetches, and the others wait for the result.
#[derive(Default)]
struct Fetched {
    keys: Option<(Timestamp, Arc<ClientKeys>)>,
    tried_at: Option<Timestamp>,
}

impl PublishedClientKeys {
    /// Nothing is fetched yet.
    pub fn new(outgoing: Outgoing) -> Self {
        Self { outgoing, sets: Arc::default() }
    }

    /// The keys at `uri`. `missing_in` is the set in which a key was missing: it is fetched again, at most once a
    /// minute.
    ///
    /// Errors: they were never fetched, or too long ago, and cannot be fetched now.
    pub async fn at(&self, uri: &str, missing_in: Option<&Arc<ClientKeys>>, now: Timestamp) -> Result<Arc<ClientKeys>> {
        let entry = {
            let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
            sets.entry(uri.to_owned()).or_default().clone()
        };
        let mut fetched = entry.lock().await;
        if let Some((at, keys)) = &fetched.keys {
            let outdated = missing_in.is_some_and(|seen| Arc::ptr_eq(seen, keys)) || now.since(*at) >= FRESH;
            if !outdated || fetched.is_pausing(now) {
                return Ok(keys.clone());
            }
        }
        if fetched.keys.is_none() && fetched.is_pausing(now) {
            anyhow::bail!("the keys at {uri} could not be fetched a moment ago");
        }
        fetched.tried_at = Some(now);
        match self.fetch(uri).await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                fetched.keys = Some((now, keys.clone()));
                Ok(keys)
            }
            Err(error) => {
                drop(fetched.keys.take_if(|(at, _)| now.since(*at) >= STALE));
                let Some((_, keys)) = &fetched.keys else {
                    return Err(error.context(format!("the keys at {uri} cannot be fetched")));
                };
                tracing::warn!(uri, cause = format!("{error:#}"), "a client's keys cannot be fetched again");
                Ok(keys.clone())
            }
        }
    }

    async fn fetch(&self, uri: &str) -> Result<ClientKeys> {
        let answer = self.outgoing.get(uri).await?.success()?;
        let set = serde_json::from_slice(&answer.body).context("the answer is not JSON")?;
        ClientKeys::parse(&set).map_err(|error| anyhow::anyhow!("the answer is not a JWK set: {error}"))
    }
}

impl Fetched {
    fn is_pausing(&self, now: Timestamp) -> bool {
        self.tried_at.is_some_and(|at| now.since(at) < PAUSE)
    }
}
