//! Tenants and clients as resources of a cluster, without Kubernetes: its settings, and what it asks of us.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use super::client::Client;
use super::{Problem, Snapshot};

/// How the custom resources are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSettings {
    /// Whether only one namespace is read.
    pub scoped: bool,
    /// Which one; the process's own where it is left out.
    pub namespace: Option<String>,
    /// The file that says where the API server is; without one, `KUBECONFIG`, the usual file, or the pod's own account.
    pub kubeconfig: Option<PathBuf>,
    /// Interval of reading Secrets again.
    pub secrets_every: Duration,
    /// Interval of updating the figures of a status.
    pub status_every: Duration,
}

/// What changes in the status of a tenant and its clients without a change of the resources; `None` where it is not
/// known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantFigures {
    /// Living sessions.
    pub sessions: Option<i64>,
    /// Refusals by `client_id`; a client that is not in it was never refused.
    pub denied: Option<BTreeMap<String, i64>>,
}

/// What the floors above know about tenants and clients, for their status.
#[async_trait]
pub trait StatusSource: Send + Sync {
    /// Whether this replica writes the status of resources; of all replicas one may at a time.
    async fn may_write(&self) -> bool;
    /// The figures of the tenant with that full name.
    async fn of_tenant(&self, tenant: &str) -> TenantFigures;
    /// The number of living grants of a client; `None` where it is not known.
    async fn grants_of(&self, client: &Client) -> Option<i64>;
    /// Where tenants and clients ask for what the settings do not allow.
    fn conflicts(&self, snapshot: &Snapshot) -> Vec<Problem>;
    /// The present, as RFC 3339.
    fn now(&self) -> String;
}
