//! All tenants and clients as of one moment, and the rules that hold between them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::claims::{Claims, Conflict, Contested, Tolerance, issuer_host, login_page};
use super::client::Client;
use super::document::Document;
use super::host_table::HostTable;
use super::parsed::Parsed;
use super::problem::Problem;
use super::served::{Id, Served};
use super::shared_map::SharedMap;
use super::spelling;
use super::tenant::{Tenant, bare_host};

/// Tenants and clients that do not contradict each other. Never changed; replaced as a whole.
#[derive(Clone, Default)]
pub struct Snapshot {
    pub(super) tenants: Vec<Arc<Tenant>>,
    pub(super) by_name: SharedMap<Arc<str>, Arc<Tenant>>,
    pub(super) hosts: HostTable,
    /// Whose each name is.
    pub(super) claims: Claims,
    /// Hosts of login pages that are among no tenant's hosts: whoever has its issuer there, then the first declared.
    login_pages: HashMap<String, Arc<Tenant>>,
    clients: SharedMap<String, Arc<Client>>,
    pub(super) clients_of: SharedMap<Arc<str>, Vec<Arc<Client>>>,
    /// Those that are declared and not served.
    disabled_clients_of: SharedMap<Arc<str>, Vec<Arc<Client>>>,
    /// What it was read from.
    pub(super) documents: Vec<Document>,
    /// What is wrong with them.
    pub(super) problems: Arc<[Problem]>,
    /// Whether something that is good for itself was refused, because it contradicts something else.
    pub(super) is_contested: bool,
    /// Which conflicts of names are only warned of.
    pub(super) tolerance: Tolerance,
    /// Those that are.
    pub(super) tolerated: Vec<Contested>,
    /// What unchanged documents need not be read again for.
    pub(super) parsed: SharedMap<[u8; 32], Arc<Parsed>>,
    /// The last good version of everything, for the day its document breaks.
    pub(super) served: SharedMap<Id, Served>,
}

impl Snapshot {
    /// Whether these are the documents that it was read from.
    pub(super) fn is_of(&self, documents: &[Document]) -> bool {
        let same = |(one, other): (&Document, &Document)| one.is_same(other);
        documents.len() == self.documents.len() && documents.iter().zip(&self.documents).all(same)
    }

    /// The tenant that `host` leads to; a port, a trailing dot and the case do not count. A disabled one keeps its hosts,
    /// and they lead nowhere.
    pub fn tenant_by_host(&self, host: &str) -> Option<&Arc<Tenant>> {
        let host = bare_host(host);
        let tenant = self.hosts.find_exact(&host).or_else(|| self.login_pages.get(&host));
        tenant.or_else(|| self.hosts.find_wildcard(&host)).filter(|tenant| tenant.enabled)
    }

    /// The tenant with that full name, also if it is disabled.
    pub fn tenant(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.by_name.get(name)
    }

    /// The client of that tenant with that `client_id`. A client of another tenant is not found, and neither is one that
    /// is disabled.
    pub fn client(&self, tenant: &str, client_id: &str) -> Option<&Arc<Client>> {
        let client = self.clients.get(comparable(client_id).as_ref());
        client.filter(|client| *client.tenant == *tenant && client.enabled)
    }

    /// The clients of a tenant that are served, in the order of their documents.
    pub fn clients_of(&self, tenant: &str) -> &[Arc<Client>] {
        self.clients_of.get(tenant).map(Vec::as_slice).unwrap_or_default()
    }

    /// The clients of a tenant that are declared with `enabled: false`, in the order of their documents.
    pub fn disabled_clients_of(&self, tenant: &str) -> &[Arc<Client>] {
        self.disabled_clients_of.get(tenant).map(Vec::as_slice).unwrap_or_default()
    }

    /// All tenants, in the order of their documents, disabled ones among them.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.iter()
    }

    /// All clients that are served, tenant by tenant.
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

    /// Where that was declared which is served here and not in `next`.
    pub(super) fn sources_without(&self, next: &Self) -> HashSet<&str> {
        let lost = self.served.iter().filter(|(id, _)| !next.served.contains_key(id));
        lost.map(|(_, served)| served.source.as_str()).collect()
    }

    /// The conflicts of names that are only warned of.
    pub fn tolerated(&self) -> &[Contested] {
        &self.tolerated
    }

    /// Adds a tenant that `document` declares, with what it claims. Gives what is tolerated of it.
    pub(super) fn add_tenant(&mut self, tenant: &Arc<Tenant>, document: &Document) -> Result<Vec<String>, String> {
        if self.by_name.contains_key(&tenant.name) {
            return Err(format!("another tenant is called {:?} already; give each its own name", tenant.name));
        }
        let conflicts = self.claims.conflicts(tenant, document);
        let is_tolerated = |conflict: &&Conflict| !conflict.is_absolute && self.tolerance.covers(&conflict.about);
        if let Some(refused) = conflicts.iter().find(|conflict| !is_tolerated(conflict)) {
            return Err(refused.message.clone());
        }
        self.claims.enter(tenant, document);
        self.put_tenant(tenant);
        let (tolerated, messages): (Vec<_>, Vec<_>) =
            conflicts.into_iter().map(|conflict| (conflict.about, conflict.message)).unzip();
        self.is_contested |= !tolerated.is_empty();
        self.tolerated.extend(tolerated);
        Ok(messages)
    }

    /// Adds a tenant whose claims are entered.
    pub(super) fn put_tenant(&mut self, tenant: &Arc<Tenant>) {
        self.hosts.insert(tenant);
        self.by_name.insert(tenant.name.clone(), tenant.clone());
        self.tenants.push(tenant.clone());
    }

    /// The host of a tenant's login page leads to it, too. Tenants in one hand may share it.
    pub(super) fn add_login_pages(&mut self) {
        self.login_pages.clear();
        for tenant in &self.tenants {
            let Some(host) = login_page(tenant).filter(|host| self.hosts.find_exact(host).is_none()) else { continue };
            // Tokens name the host that they were asked for at: it has to be that of one tenant.
            if issuer_host(tenant).as_ref() == Some(&host) {
                self.login_pages.insert(host, tenant.clone());
            } else {
                self.login_pages.entry(host).or_insert_with(|| tenant.clone());
            }
        }
    }

    pub(super) fn add_client(&mut self, client: &Arc<Client>) -> Result<(), String> {
        let Some(tenant) = self.by_name.get(&client.tenant) else {
            // Ten thousand clients without tenant must not cost ten thousand times ten thousand comparisons.
            let known = self.tenants.iter().take(200).map(|tenant| &*tenant.name);
            let hint = spelling::hint(known, &client.tenant);
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
        let list = if client.enabled { &mut self.clients_of } else { &mut self.disabled_clients_of };
        list.entry(client.tenant.clone()).push(client.clone());
        Ok(())
    }

    /// Takes the `client_id` of `client` away from it.
    pub(super) fn remove_client(&mut self, client: &Client) {
        self.clients.remove(comparable(&client.ident).as_ref());
    }
}

/// How a `client_id` is compared: UUIDs without case, everything else exactly.
fn comparable(client_id: &str) -> Cow<'_, str> {
    let is_uuid = client_id.len() == 36 && uuid::Uuid::try_parse(client_id).is_ok();
    if is_uuid { client_id.to_ascii_lowercase().into() } else { client_id.into() }
}
