//! All tenants and clients as of one moment, and the rules that hold between them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::client::Client;
use super::document::{Document, Entity, Kind, Parsed};
use super::host_table::HostTable;
use super::tenant::{Tenant, bare_host};
use super::{Problem, Severity};

/// Tenants and clients that do not contradict each other. Never changed; replaced as a whole.
#[derive(Clone, Default)]
pub struct Snapshot {
    tenants: Vec<Arc<Tenant>>,
    by_name: HashMap<Arc<str>, Arc<Tenant>>,
    hosts: HostTable,
    clients: HashMap<String, Arc<Client>>,
    clients_of: HashMap<Arc<str>, Vec<Arc<Client>>>,
    /// What unchanged documents need not be read again for.
    parsed: HashMap<[u8; 32], Arc<Parsed>>,
    /// The last good version of everything, for the day its document breaks.
    served: HashMap<Id, Served>,
}

/// Which tenant or client, from one reading to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Id {
    kind: Kind,
    name: String,
    /// Names of clients are only unique within a source, those of tenants everywhere.
    source: Option<String>,
    /// The how manieth of that name it is.
    nth: usize,
}

#[derive(Clone)]
struct Served {
    source: String,
    line: usize,
    entity: Entity,
}

impl Snapshot {
    /// Reads `documents`, which are in the order of their precedence: of two that contradict each other the first
    /// wins. What is broken keeps the version that `previous` served; what is gone, goes.
    ///
    /// `check_script` says whether a login script is well-formed, and if not, why. Gives the snapshot and everything an
    /// operator should know, in the order of the documents.
    pub fn build(
        documents: &[Document],
        previous: Option<&Snapshot>,
        check_script: &dyn Fn(&str) -> Result<(), String>,
    ) -> (Self, Vec<Problem>) {
        let nothing = Self::default();
        let mut building = Building::read(documents, previous.unwrap_or(&nothing), check_script);
        building.place(Kind::Tenant);
        building.place(Kind::Client);
        building.finish()
    }

    /// The tenant that `host` leads to; a port, a trailing dot and the case do not count.
    pub fn tenant_by_host(&self, host: &str) -> Option<&Arc<Tenant>> {
        self.hosts.find(&bare_host(host))
    }

    /// The tenant with that full name.
    pub fn tenant(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.by_name.get(name)
    }

    /// The client of that tenant with that `client_id`. A client of another tenant is not found.
    pub fn client(&self, tenant: &str, client_id: &str) -> Option<&Arc<Client>> {
        self.clients.get(comparable(client_id).as_ref()).filter(|client| *client.tenant == *tenant)
    }

    /// The clients of a tenant, in the order of their documents.
    pub fn clients_of(&self, tenant: &str) -> &[Arc<Client>] {
        self.clients_of.get(tenant).map(Vec::as_slice).unwrap_or_default()
    }

    /// All tenants, in the order of their documents.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.iter()
    }

    /// All clients, tenant by tenant.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.tenants.iter().flat_map(|tenant| self.clients_of(&tenant.name))
    }

    /// How many tenants there are.
    pub fn tenant_count(&self) -> usize {
        self.tenants.len()
    }

    /// How many clients there are.
    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    fn add_tenant(&mut self, tenant: &Arc<Tenant>) -> Result<(), String> {
        if self.by_name.contains_key(&tenant.name) {
            return Err(format!("another tenant is called {:?} already; give each its own name", tenant.name));
        }
        for host in &tenant.hosts {
            if let Some((own, other)) = self.hosts.taken(host) {
                return Err(format!(
                    "host {:?} already leads to tenant {:?} (as {own:?}); remove it from one of them",
                    host.0, other.name
                ));
            }
        }
        self.hosts.insert(tenant);
        self.by_name.insert(tenant.name.clone(), tenant.clone());
        self.tenants.push(tenant.clone());
        Ok(())
    }

    fn add_client(&mut self, client: &Arc<Client>) -> Result<(), String> {
        let Some(tenant) = self.by_name.get(&client.tenant) else {
            // Ten thousand clients without tenant must not cost ten thousand times ten thousand comparisons.
            let known = self.tenants.iter().take(200).map(|tenant| &*tenant.name);
            let hint = super::spelling::hint(known, &client.tenant);
            return Err(format!("tenantname {:?} is not the name of a tenant that is served{hint}", client.tenant));
        };
        if let Some(namespace) = &client.namespace
            && tenant.namespace.as_ref() != Some(namespace)
            && !tenant.allowed_client_namespaces.contains(namespace)
        {
            return Err(format!(
                "tenant {:?} does not take clients of namespace {namespace:?}; list it in the tenant's \
                 allowed_client_namespaces",
                tenant.name
            ));
        }
        let key = comparable(&client.ident);
        if let Some(other) = self.clients.get(key.as_ref()) {
            return Err(format!(
                "ident {:?} already belongs to client {:?} of tenant {:?}; each client needs its own",
                client.ident, other.name, other.tenant
            ));
        }
        self.clients.insert(key.into_owned(), client.clone());
        self.clients_of.entry(client.tenant.clone()).or_default().push(client.clone());
        Ok(())
    }
}

/// One document of the reading, and what it is called where that could be read.
#[derive(Clone)]
struct Entry<'a> {
    document: &'a Document,
    parsed: Arc<Parsed>,
    id: Option<Id>,
}

/// A snapshot in the making.
struct Building<'a> {
    documents: Vec<Entry<'a>>,
    previous: &'a Snapshot,
    /// What the documents name: a last good version that is named here belongs to that document alone.
    named: HashSet<Id>,
    snapshot: Snapshot,
    /// With the position of the document that each is about.
    problems: Vec<(usize, Problem)>,
}

impl<'a> Building<'a> {
    fn read(
        documents: &'a [Document],
        previous: &'a Snapshot,
        check_script: &dyn Fn(&str) -> Result<(), String>,
    ) -> Self {
        let mut building = Self {
            documents: Vec::with_capacity(documents.len()),
            previous,
            named: HashSet::new(),
            snapshot: Snapshot::default(),
            problems: Vec::new(),
        };
        for (position, document) in documents.iter().enumerate() {
            let digest = document.digest();
            let known = previous.parsed.get(&digest).or_else(|| building.snapshot.parsed.get(&digest)).cloned();
            let parsed = known.unwrap_or_else(|| Arc::new(Parsed::read(document, check_script)));
            if parsed.entity.is_some() {
                // Only what is good: the messages about the rest name lines, which move.
                building.snapshot.parsed.insert(digest, parsed.clone());
            }
            let id = building.name(document, &parsed);
            let entry = Entry { document, parsed, id };
            for (severity, message) in &entry.parsed.findings.0 {
                building.report(position, &entry, *severity, message.clone());
            }
            building.documents.push(entry);
        }
        building
    }

    fn name(&mut self, document: &Document, parsed: &Parsed) -> Option<Id> {
        let (kind, name) = (parsed.kind?, parsed.name.clone()?);
        let source = (kind == Kind::Client).then(|| document.source.clone());
        let mut id = Id { kind, name, source, nth: 0 };
        while !self.named.insert(id.clone()) {
            id.nth += 1;
        }
        Some(id)
    }

    fn report(&mut self, position: usize, entry: &Entry<'_>, severity: Severity, message: String) {
        let entity = entry.id.as_ref().map(|id| format!("{} {}", id.kind.as_str(), id.name)).unwrap_or_default();
        self.problems.push((position, Problem { severity, source: entry.document.place(), entity, message }));
    }

    /// Adds what the documents declare of one kind, in their order.
    fn place(&mut self, kind: Kind) {
        for position in 0..self.documents.len() {
            let entry = self.documents[position].clone();
            // A document whose name cannot be read may have declared either.
            if entry.id.as_ref().is_some_and(|id| id.kind != kind) {
                continue;
            }
            match (&entry.parsed.entity, &entry.id) {
                (Some(entity), Some(id)) => {
                    if let Err(message) = self.add(entry.document, id, entity) {
                        self.report(position, &entry, Severity::Error, message);
                        self.keep_last_good(position, &entry, kind);
                    }
                }
                _ if entry.parsed.findings.has_errors() => self.keep_last_good(position, &entry, kind),
                _ => {}
            }
        }
    }

    fn add(&mut self, document: &Document, id: &Id, entity: &Entity) -> Result<(), String> {
        match entity {
            Entity::Tenant(tenant) => self.snapshot.add_tenant(tenant)?,
            Entity::Client(client) => self.snapshot.add_client(client)?,
        }
        let served = Served { source: document.source.clone(), line: document.line, entity: entity.clone() };
        self.snapshot.served.insert(id.clone(), served);
        Ok(())
    }

    /// Puts back what was served before the document at `position` broke: what has its name; where the name cannot be
    /// read or is new, what its source had declared and no document names any more.
    fn keep_last_good(&mut self, position: usize, entry: &Entry<'_>, kind: Kind) {
        let previous = self.previous;
        let by_name = entry.id.as_ref().and_then(|id| previous.served.get_key_value(id));
        let mut kept: Vec<(&Id, &Served)> = by_name.into_iter().collect();
        if kept.is_empty() {
            let document = entry.document;
            let orphaned = |(id, served): &(&Id, &Served)| {
                id.kind == kind
                    && Path::new(&served.source).starts_with(&document.source)
                    && !self.named.contains(*id)
                    && (entry.id.is_none() || served.line == document.line)
            };
            kept = previous.served.iter().filter(orphaned).collect();
            kept.sort_by_key(|(_, served)| (&served.source, served.line));
        }
        for (id, served) in kept {
            if self.snapshot.served.contains_key(id) {
                continue;
            }
            let thing = format!("the last good version of {} {}", kind.as_str(), id.name);
            let document = Document { source: served.source.clone(), line: served.line, ..entry.document.clone() };
            let message = match self.add(&document, id, &served.entity) {
                Ok(()) => format!("{thing} stays in place"),
                Err(error) => format!("{thing} cannot stay in place either: {error}"),
            };
            self.report(position, entry, Severity::Warning, message);
        }
    }

    fn finish(mut self) -> (Snapshot, Vec<Problem>) {
        self.problems.sort_by_key(|(position, _)| *position);
        (self.snapshot, self.problems.into_iter().map(|(_, problem)| problem).collect())
    }
}

/// How a `client_id` is compared: UUIDs without case, everything else exactly.
fn comparable(client_id: &str) -> Cow<'_, str> {
    let is_uuid = client_id.len() == 36 && uuid::Uuid::try_parse(client_id).is_ok();
    if is_uuid { client_id.to_ascii_lowercase().into() } else { client_id.into() }
}
