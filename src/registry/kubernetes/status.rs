//! Tells operators in the status of each resource what became of it.
//!
//! One replica writes at a time, a moment after something changed, and only what differs from what is there. The echo
//! of its own writing changes no document, so nothing follows from it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::Error;
use kube::api::{Patch, PatchParams};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::Cluster;
use super::seen::{Entry, Key};
use crate::registry::client::Client;
use crate::registry::document::Kind;
use crate::registry::resources::{StatusSource, TenantFigures};
use crate::registry::{Problem, Registry, Severity, Snapshot};

/// Changes within this time are told together.
const DEBOUNCE: Duration = Duration::from_secs(1);
/// Longer messages help nobody.
const LONGEST_MESSAGE: usize = 2000;

/// What became of a resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    /// Ready, or Error: not served as it is written.
    phase: String,
    /// What is wrong, or worth knowing; empty if nothing is.
    message: String,
    /// How many clients a tenant has.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_count: Option<i64>,
    /// Sessions of a tenant, or living grants of a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    active_sessions: Option<i64>,
    /// How often a client was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_attempts: Option<i64>,
    /// When this was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated: Option<String>,
    /// The generation of the resource that this is about.
    observed_generation: i64,
}

/// A status that is to be written.
struct Due {
    key: Key,
    known: Value,
    status: Status,
    /// The client that is served under its name.
    client: Option<Arc<Client>>,
}

impl Due {
    /// Adds what `source` knows; `of_tenants` is what it already said.
    async fn with_figures(
        mut self,
        source: &dyn StatusSource,
        of_tenants: &mut HashMap<String, TenantFigures>,
    ) -> Self {
        let tenant = match (self.key.kind, &self.client) {
            (Kind::Tenant, _) => self.key.full_name(),
            (Kind::Client, Some(client)) => client.tenant.to_string(),
            (Kind::Client, None) => return self,
        };
        if !of_tenants.contains_key(&tenant) {
            of_tenants.insert(tenant.clone(), source.of_tenant(&tenant).await);
        }
        let figures = of_tenants.get(&tenant);
        match &self.client {
            None => self.status.active_sessions = figures.and_then(|figures| figures.sessions),
            Some(client) => {
                let denied = figures.and_then(|figures| figures.denied.as_ref());
                self.status.denied_attempts = denied.map(|denied| denied.get(&*client.ident).copied().unwrap_or(0));
                self.status.active_sessions = source.grants_of(client).await;
            }
        }
        self
    }
}

impl Cluster {
    /// Writes the status of resources for as long as the future is polled.
    pub async fn publish(self, registry: Registry, source: Arc<dyn StatusSource>) {
        let mut taken = self.taken.subscribe();
        loop {
            // Also without news: figures change, and another replica that wrote so far may be gone.
            drop(timeout(self.settings.status_every, taken.changed()).await);
            sleep(DEBOUNCE.min(self.settings.status_every)).await;
            taken.mark_unchanged();
            if self.seen().unlisted().is_some() || !source.may_write().await {
                continue;
            }
            let mut figures = HashMap::new();
            for due in self.due(&registry, &*source) {
                let due = due.with_figures(&*source, &mut figures).await;
                if let Err(error) = self.write(due, &source.now()).await {
                    tracing::warn!(
                        cause = reason(&error),
                        "the status of resources could not be written; it is tried again"
                    );
                    break;
                }
            }
        }
    }

    /// The status of everything, without figures.
    fn due(&self, registry: &Registry, source: &dyn StatusSource) -> Vec<Due> {
        let snapshot = registry.current();
        let problems = problems(&registry.problems(), source.conflicts(&snapshot));
        let seen = self.seen();
        // What changed since the registry took it is told the next time.
        let clients: HashMap<&str, &Arc<Client>> = snapshot.clients().map(|client| (&*client.name, client)).collect();
        let entries = seen.entries().filter(|(_, entry)| entry.taken == entry.generation);
        let due = |(key, entry): (&Key, &Entry)| Due {
            key: key.clone(),
            known: entry.status.clone(),
            status: status(key, entry, &problems, &snapshot),
            client: clients
                .get(&*key.full_name())
                .filter(|_| key.kind == Kind::Client)
                .map(|client| Arc::clone(client)),
        };
        entries.map(due).collect()
    }

    /// Writes a status if it differs from what is there in more than the time.
    async fn write(&self, due: Due, now: &str) -> Result<(), Error> {
        let Due { key, known, mut status, .. } = due;
        let known: Status = serde_json::from_value(known).unwrap_or_default();
        status.last_updated.clone_from(&known.last_updated);
        if status == known {
            return Ok(());
        }
        status.last_updated = Some(now.to_owned());
        let api = self.api_of(&key);
        let mut told = json!({ "clientCount": null, "activeSessions": null, "deniedAttempts": null });
        // What is not known any more is taken away; left out, it would stay, and differ for ever.
        if let (Some(told), Ok(Value::Object(known))) = (told.as_object_mut(), serde_json::to_value(&status)) {
            told.extend(known);
        }
        let patch = Patch::Merge(json!({ "status": told }));
        match api.patch_status(&key.name, &PatchParams::default(), &patch).await {
            Ok(_) => {
                let status = serde_json::to_value(&status).unwrap_or_default();
                self.seen().put_status(&key, status);
                Ok(())
            }
            // It is gone, or the API server does not take what we say of it, perhaps because there is no room in it (500):
            // no reason to leave out the others.
            Err(Error::Api(answer)) if !matches!(answer.code, 401 | 403 | 429 | 503) => {
                tracing::debug!(resource = key.source(), code = answer.code, "a status was not taken");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::Api(status) if matches!(status.code, 401 | 403) => {
            "the service account may not patch tenants/status and clients/status".to_owned()
        }
        Error::Api(status) => format!("the API server answers {}", status.code),
        other => other.to_string(),
    }
}

/// All problems by the source that they are about; those of settings by the tenant or client.
fn problems(of_documents: &[Problem], of_settings: Vec<Problem>) -> HashMap<String, Vec<Problem>> {
    let mut by_source: HashMap<String, Vec<Problem>> = HashMap::new();
    for problem in of_documents {
        by_source.entry(problem.source.clone()).or_default().push(problem.clone());
    }
    for problem in of_settings {
        by_source.entry(problem.entity.clone()).or_default().push(problem);
    }
    by_source
}

fn status(key: &Key, entry: &Entry, problems: &HashMap<String, Vec<Problem>>, snapshot: &Snapshot) -> Status {
    let full = key.full_name();
    let own: Vec<&Problem> =
        [key.source(), key.entity()].iter().filter_map(|name| problems.get(name)).flatten().collect();
    let is_broken = own.iter().any(|problem| problem.severity == Severity::Error);
    let mut messages: Vec<&str> = own.iter().map(|problem| problem.message.as_str()).collect();
    messages.dedup();
    let clients = || i64::try_from(snapshot.clients_of(&full).len()).unwrap_or(i64::MAX);
    Status {
        phase: if is_broken { "Error" } else { "Ready" }.to_owned(),
        message: messages.join("; ").chars().take(LONGEST_MESSAGE).collect(),
        client_count: (key.kind == Kind::Tenant).then(clients),
        observed_generation: entry.generation,
        ..Status::default()
    }
}
