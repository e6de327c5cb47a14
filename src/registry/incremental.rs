//! The next snapshot from the last one and the few documents that changed, so that one change among ten thousand does
//! not cost as much as all of them.
//!
//! Only where nothing else can depend on the change. Anything else is built anew (`building`), with the same result.

use std::sync::Arc;

use super::client::Client;
use super::document::Document;
use super::parsed::{Entity, Parsed};
use super::served::Id;
use super::snapshot::Snapshot;
use super::tenant::Tenant;

/// Most changes at once; more are built anew.
const FEW: usize = 64;

impl Snapshot {
    /// The snapshot of `documents`; `None` where it has to be built anew.
    pub(super) fn changed(
        &self,
        documents: &[Document],
        check_script: &dyn Fn(&str) -> Result<(), String>,
    ) -> Option<Self> {
        // What was refused may want what a change sets free.
        if self.is_contested || documents.len() != self.documents.len() {
            return None;
        }
        let is_changed = |position: &usize| !documents[*position].is_same(&self.documents[*position]);
        let changed: Vec<usize> = (0..documents.len()).filter(is_changed).take(FEW + 1).collect();
        if changed.len() > FEW {
            return None;
        }
        let mut next = self.clone();
        for position in changed {
            next.replace(position, &documents[position], check_script)?;
        }
        next.add_login_pages();
        Some(next)
    }

    /// Replaces the document at `position` by `new`, if that declares the same tenant or client, and operators are told
    /// the same about it.
    fn replace(
        &mut self,
        position: usize,
        new: &Document,
        check_script: &dyn Fn(&str) -> Result<(), String>,
    ) -> Option<()> {
        let old = std::mem::replace(&mut self.documents[position], new.clone());
        let before = self.parsed.remove(&old.digest())?;
        let after = Arc::new(Parsed::read(new, check_script));
        // What an operator is told stays word for word, and nothing of it keeps the document from being served.
        let is_plain = before.findings == after.findings && !after.findings.has_errors();
        let is_there = (&old.source, old.line, &before.name) == (&new.source, new.line, &after.name);
        if !is_plain || !is_there {
            return None;
        }
        match (before.entity.as_ref()?, after.entity.as_ref()?) {
            (Entity::Tenant(before), Entity::Tenant(after)) => self.replace_tenant((before, &old), (after, new))?,
            (Entity::Client(before), Entity::Client(after)) => self.replace_client(before, after)?,
            _ => return None,
        }
        let id = Id::first(after.kind?, after.name.clone()?, &new.source);
        let mut served = self.served.get(&id)?.clone();
        served.entity.clone_from(after.entity.as_ref()?);
        self.served.insert(id, served);
        self.parsed.insert(new.digest(), after);
        Some(())
    }

    fn replace_tenant(
        &mut self,
        (before, old): (&Arc<Tenant>, &Document),
        (after, new): (&Arc<Tenant>, &Document),
    ) -> Option<()> {
        let lets_in = |tenant: &Tenant| (tenant.namespace.clone(), tenant.allowed_client_namespaces.clone());
        if lets_in(before) != lets_in(after) {
            return None;
        }
        let position = self.tenants.iter().position(|tenant| Arc::ptr_eq(tenant, before))?;
        self.hosts.remove(before);
        self.by_name.remove(&*before.name);
        if claims_the_same(before, after) {
            self.put_tenant(after);
        } else {
            self.claims.withdraw(before, old);
            self.add_tenant(after, new).ok().filter(Vec::is_empty)?;
        }
        // The last one is the new one, and goes where the old one was.
        self.tenants.swap_remove(position);
        Some(())
    }

    fn replace_client(&mut self, before: &Arc<Client>, after: &Arc<Client>) -> Option<()> {
        if before.tenant != after.tenant || !before.enabled || !after.enabled {
            return None;
        }
        self.remove_client(before);
        self.add_client(after).ok()?;
        let clients = self.clients_of.entry(after.tenant.clone());
        let position = clients.iter().position(|client| Arc::ptr_eq(client, before))?;
        clients.swap_remove(position);
        Some(())
    }
}

/// Whether all that the register knows of the tenant stays.
fn claims_the_same(before: &Tenant, after: &Tenant) -> bool {
    let claimed = |tenant: &Tenant| (tenant.hosts.clone(), tenant.issuer.clone(), tenant.interceptor.clone());
    claimed(before) == claimed(after)
}
