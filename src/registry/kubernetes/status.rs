//! Tells operators in the status of each resource what became of it.
//!
//! One replica writes at a time, a moment after something changed, and only what differs from what is there. The echo
//! of its own writing changes no document, so nothing follows from it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{TryStreamExt, stream};
use kube::Error;
use kube::api::{Patch, PatchParams};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::cluster::Cluster;
use super::refusals::Refusals;
use super::round::{End, Round, lock};
use super::seen::{Entry, Key};
use crate::registry::client::Client;
use crate::registry::document::Kind;
use crate::registry::resources::{StatusSource, TenantFigures};
use crate::registry::{Problem, Registry, Severity, Snapshot};

/// Changes within this time are told together.
const DEBOUNCE: Duration = Duration::from_secs(1);
/// How many tenants are looked after at the same time.
const AT_ONCE: usize = 8;
/// How long the API server may take to store a status.
const ANSWER: Duration = Duration::from_secs(5);
/// Longer messages are cut.
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
    /// The tenant whose figures it shows, if any.
    fn tenant(&self) -> Option<String> {
        match (self.key.kind, &self.client) {
            (Kind::Tenant, _) => Some(self.key.full_name()),
            (Kind::Client, client) => client.as_ref().map(|client| client.tenant.to_string()),
        }
    }

    /// Adds what `source` knows; `figures` is what it said of the tenant.
    async fn with_figures(mut self, source: &dyn StatusSource, figures: &TenantFigures) -> Self {
        match &self.client {
            None => self.status.active_sessions = figures.sessions,
            Some(client) => {
                let denied = figures.denied.as_ref();
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
        let refusals = Mutex::new(Refusals::every(self.settings.status_every));
        loop {
            // Also without news: figures change, and another replica that wrote so far may be gone.
            drop(timeout(self.settings.status_every, taken.changed()).await);
            sleep(DEBOUNCE.min(self.settings.status_every)).await;
            taken.mark_unchanged();
            if self.seen().unlisted().is_some() || !source.may_write().await {
                continue;
            }
            let round = Round::begin(&*source, &refusals);
            match self.tell(self.due(&registry, &*source), &round).await {
                Ok(()) => {}
                Err(End::Lost) => tracing::debug!("another replica writes the status of resources"),
                Err(End::Failed(cause)) => {
                    tracing::warn!(cause, "the status of resources could not be written; it is tried again");
                }
            }
        }
    }

    /// Writes what differs, tenant by tenant.
    async fn tell(&self, due: Vec<Due>, round: &Round<'_>) -> Result<(), End> {
        let keys: HashSet<&Key> = due.iter().map(|due| &due.key).collect();
        lock(round.refusals).retain(|key| keys.contains(key));
        let mut by_tenant: BTreeMap<Option<String>, Vec<Due>> = BTreeMap::new();
        for due in due {
            by_tenant.entry(due.tenant()).or_default().push(due);
        }
        let tenants = stream::iter(by_tenant.into_iter().map(Ok));
        tenants.try_for_each_concurrent(AT_ONCE, |(tenant, due)| self.tell_of_tenant(tenant, due, round)).await
    }

    async fn tell_of_tenant(&self, tenant: Option<String>, due: Vec<Due>, round: &Round<'_>) -> Result<(), End> {
        round.still().await?;
        let figures = match &tenant {
            Some(tenant) => round.source.of_tenant(tenant).await,
            None => TenantFigures::default(),
        };
        for due in due {
            let due = due.with_figures(round.source, &figures).await;
            round.still().await?;
            self.write(due, round).await?;
        }
        Ok(())
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
    async fn write(&self, due: Due, round: &Round<'_>) -> Result<(), End> {
        let Due { key, known, mut status, .. } = due;
        let known: Status = serde_json::from_value(known).unwrap_or_default();
        status.last_updated.clone_from(&known.last_updated);
        if status == known || lock(round.refusals).wait(&key, status.observed_generation) {
            return Ok(());
        }
        status.last_updated = Some(round.source.now());
        let api = self.api_of(&key);
        let mut told = json!({ "clientCount": null, "activeSessions": null, "deniedAttempts": null });
        // What is not known any more is taken away; left out, it would stay, and differ for ever.
        if let (Some(told), Ok(Value::Object(known))) = (told.as_object_mut(), serde_json::to_value(&status)) {
            told.extend(known);
        }
        let patch = Patch::Merge(json!({ "status": told }));
        let parameters = PatchParams::default();
        let Ok(answer) = timeout(ANSWER, api.patch_status(&key.name, &parameters, &patch)).await else {
            return Err(End::Failed("the API server does not answer".to_owned()));
        };
        match answer {
            Ok(_) => {
                lock(round.refusals).end(&key);
                self.seen().put_status(&key, serde_json::to_value(&status).unwrap_or_default());
                Ok(())
            }
            // It is gone, or the API server does not take what we say of it, perhaps because there is no room in it (500):
            // no reason to leave out the others.
            Err(Error::Api(answer)) if !matches!(answer.code, 401 | 403 | 429 | 503) => {
                lock(round.refusals).note(key, status.observed_generation, answer.code);
                Ok(())
            }
            Err(error) => Err(End::Failed(reason(&error))),
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
