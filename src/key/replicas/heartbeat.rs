//! The heartbeat of a replica: how far it has followed the news, and which sealed keys it can open. With that, a new key
//! can wait until every replica publishes it and can sign with it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::clock::Timestamp;
use crate::store::{Record, Store, group};

/// A living replica, and how far it has followed the news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its name, made at its start.
    pub replica: String,
    /// When it started.
    pub started_at: Timestamp,
    /// It has taken over every change up to this revision.
    pub seen: u64,
    /// Except those of these tenants, whose keys it could not read or open.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unreadable: BTreeSet<String>,
    /// Names of the secrets that it opens sealed keys with; `None` if an older version did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<BTreeSet<String>>,
    /// Its policy in words, to find replicas that were given different ones.
    #[serde(default)]
    pub policy: String,
    /// Names of the newer forms that it reads, of [`Capability`]; none if it is of a version that did not say. Names
    /// that this version does not know are those of a later one.
    ///
    /// [`Capability`]: crate::key::replicas::capability::Capability
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub understands: BTreeSet<String>,
    /// When a replica of an older version was last seen, by this one or by those that it met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_older: Option<Timestamp>,
}

impl Record for Heartbeat {
    const KIND: &'static str = "replica";
}

/// A replica whose heartbeat is older than this is not waited for. It is down, or it is cut off from the store and may
/// publish an old set for as long as that lasts.
pub const HEARTBEAT_LIFE: Duration = Duration::from_secs(120);

impl Heartbeat {
    /// Says that this replica lives.
    pub async fn beat(&self, store: &Store, now: Timestamp) -> Result<()> {
        let groups = [group("replicas", "keys")];
        store.put(&self.replica, self, &groups, now + HEARTBEAT_LIFE).await.context("the heartbeat of this replica")
    }

    /// Removes the heartbeat, when this replica stops.
    pub async fn stop(&self, store: &Store) -> Result<()> {
        store.remove::<Self>(&self.replica).await.map(drop)
    }

    /// All living replicas. A heartbeat that cannot be read is passed over: its replica writes it again, if it lives.
    pub async fn all(store: &Store) -> Result<Vec<Self>> {
        let skip = |error| warn!(cause = format!("{error:#}"), "the heartbeat of a replica is passed over");
        store.readable_members(&group("replicas", "keys"), skip).await.context("the heartbeats of the replicas")
    }
}
