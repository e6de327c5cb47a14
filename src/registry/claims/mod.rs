//! The register of claims: whose each name is that a tenant's document writes for itself. Of two that claim the same
//! name the first is served, whatever they claim it for.
//!
//! An exact name inside a wildcard is more exact and has its host, as `host_table` finds it. To take a host out of the
//! wildcard of another namespace, it has to come first.

mod hand;
mod name_tree;
mod purpose;
mod tolerance;

use std::fmt::Display;
use std::sync::Arc;

use self::hand::Hand;
use self::name_tree::{Claim, NameTree, Node};
use self::purpose::{Purpose, cookie_domain, names};
pub(super) use self::purpose::{issuer_host, login_page};
pub use self::tolerance::{Contested, Tolerance};
use super::document::Document;
use super::tenant::{HostPattern, Tenant};

/// Whose each name is. A copy shares what does not change.
#[derive(Clone, Default)]
pub(super) struct Claims(NameTree);

/// Two tenants that cannot both be served as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// What is wrong, and what to write.
    pub(super) message: String,
    /// Which two contradict each other about what.
    pub(super) about: Contested,
    /// Whether two hosts are the same, which no version has served.
    pub(super) is_absolute: bool,
}

impl Claims {
    /// What of `tenant`, whose document is `document`, contradicts those that are entered.
    pub(super) fn conflicts(&self, tenant: &Tenant, document: &Document) -> Vec<Conflict> {
        let asking = Asking { tenant, hand: Hand::of(tenant, document) };
        let mut conflicts: Vec<Conflict> = asking.misplaced_issuer().into_iter().collect();
        for (purpose, name) in names(tenant) {
            conflicts.extend(asking.refuse_name(&self.0, purpose, &name));
        }
        if let Some(domain) = &tenant.interceptor.cookie {
            conflicts.extend(asking.refuse_cookie(&self.0, domain));
        }
        conflicts
    }

    /// Enters what `tenant` claims; see [`Claims::conflicts`] before.
    pub(super) fn enter(&mut self, tenant: &Tenant, document: &Document) {
        self.for_each(tenant, document, NameTree::insert);
    }

    /// Takes back what [`Claims::enter`] entered.
    pub(super) fn withdraw(&mut self, tenant: &Tenant, document: &Document) {
        self.for_each(tenant, document, NameTree::remove);
    }

    fn for_each(&mut self, tenant: &Tenant, document: &Document, change: impl Fn(&mut NameTree, &Claim)) {
        let hand = Arc::new(Hand::of(tenant, document));
        let cookie = cookie_domain(tenant).map(|domain| (Purpose::Cookie, domain));
        for (purpose, name) in names(tenant).chain(cookie) {
            let claim = Claim { purpose, name: name.into(), tenant: tenant.name.clone(), hand: hand.clone() };
            change(&mut self.0, &claim);
        }
    }
}

/// A tenant that wants to be entered.
struct Asking<'a> {
    tenant: &'a Tenant,
    hand: Hand,
}

impl Asking<'_> {
    /// OIDC Discovery §4: whoever asks for the document of an issuer asks its host, so that has to lead here.
    fn misplaced_issuer(&self) -> Option<Conflict> {
        let issuer = self.tenant.issuer.as_ref()?;
        let host = issuer_host(self.tenant)?;
        if purpose::is_own_host(self.tenant, &host) {
            return None;
        }
        let message = format!(
            "issuer {:?} is on none of this tenant's hosts; add {host:?} to hosts, or write an issuer on one of them",
            issuer.as_str()
        );
        Some(self.conflict(message, Purpose::Issuer, &host, ""))
    }

    fn refuse_name(&self, tree: &NameTree, purpose: Purpose, name: &str) -> Option<Conflict> {
        tree.meet(name, |node, left| {
            let of_name = || node.names.iter().find_map(|claim| self.refuse_beside(claim, purpose, name));
            let spanned = || self.refuse_below(node, purpose, name, left);
            spanned().or_else(|| if left == 0 { of_name() } else { None })
        })
    }

    /// Whether `name` may stand beside `claim`, whose name can mean the same host.
    fn refuse_beside(&self, claim: &Claim, purpose: Purpose, name: &str) -> Option<Conflict> {
        if *claim.name == *name {
            let may_share =
                self.hand.is_one_with(&claim.hand) && (purpose.is_shareable() || claim.purpose.is_shareable());
            return (!may_share).then(|| self.taken(purpose, name, claim));
        }
        let (own, other) = (HostPattern(name.to_owned()), HostPattern(claim.name.to_string()));
        if own.includes(&claim.name) {
            // What was there is more exact, and keeps its host.
            return None;
        }
        if !other.includes(name) {
            return Some(self.taken(purpose, name, claim));
        }
        (self.hand.namespace != claim.hand.namespace).then(|| {
            let message = format!(
                "{} {name:?} lies in {:?} of tenant {:?}, which came first and is of another namespace; remove it, or \
                 declare both in one namespace",
                purpose.key(),
                claim.name,
                claim.tenant
            );
            self.conflict(message, purpose, name, &claim.tenant)
        })
    }

    /// Whether a cookie domain at `node` spans `name`; `left` labels of it are below the node.
    fn refuse_below(&self, node: &Node, purpose: Purpose, name: &str, left: usize) -> Option<Conflict> {
        // Of a wildcard only the hosts that nobody has more exactly.
        if left == 0 && name.contains('*') && !node.names.is_empty() {
            return None;
        }
        let spanning = node.cookies.iter().find(|claim| !self.hand.is_one_with(&claim.hand))?;
        let message = format!(
            "{} {name:?} lies in the cookie domain {:?} of tenant {:?}, which came first; {}",
            purpose.key(),
            spanning.name,
            spanning.tenant,
            share(&spanning.tenant)
        );
        Some(self.conflict(message, purpose, name, &spanning.tenant))
    }

    fn refuse_cookie(&self, tree: &NameTree, domain: &str) -> Option<Conflict> {
        let is_taken_exactly = names(self.tenant).any(|(_, own)| own == domain)
            || tree.get(domain).is_some_and(|node| !node.names.is_empty());
        let spanned = tree.meet(domain, |node, left| {
            if left > 0 {
                return None;
            }
            let foreign = |claim: &&Claim| !self.hand.is_one_with(&claim.hand);
            // Of a wildcard only the host that nobody has more exactly.
            let here = |claim: &&Claim| *claim.name == *domain || !is_taken_exactly;
            let is_crowded = || node.has_beneath(|hand| !self.hand.is_one_with(hand));
            let beneath = || if is_crowded() { node.first_beneath(&|claim| foreign(&claim)) } else { None };
            node.names.iter().filter(foreign).find(here).cloned().or_else(beneath)
        })?;
        let message = format!(
            "interceptor.cookie {domain:?} spans {:?} of tenant {:?}; write a domain of this tenant alone, or {}",
            spanned.name,
            spanned.tenant,
            share(&spanned.tenant)
        );
        Some(self.conflict(message, Purpose::Cookie, domain, &spanned.tenant))
    }

    fn taken(&self, purpose: Purpose, name: &str, claim: &Claim) -> Conflict {
        let (key, own, other) = (purpose.key(), &claim.name, &claim.tenant);
        let advice = if purpose.is_shareable() || claim.purpose.is_shareable() {
            format!("remove it from one of them, or {}", share(other))
        } else {
            "remove it from one of them".to_owned()
        };
        let message = match (purpose, claim.purpose) {
            (Purpose::Host, Purpose::Host) => {
                format!("host {name:?} already leads to tenant {other:?} (as {own:?}); {advice}")
            }
            (_, of) => {
                format!("{key} {name:?} already belongs to tenant {other:?} (its {} {own:?}); {advice}", of.key())
            }
        };
        let is_absolute = (purpose, claim.purpose) == (Purpose::Host, Purpose::Host);
        Conflict { is_absolute, ..self.conflict(message, purpose, name, other) }
    }

    fn conflict(&self, message: String, purpose: Purpose, name: &str, other: &str) -> Conflict {
        let about = Contested {
            tenant: self.tenant.name.to_string(),
            key: purpose.key().to_owned(),
            name: name.to_owned(),
            other: other.to_owned(),
        };
        Conflict { message, about, is_absolute: false }
    }
}

/// The line to add where it is on purpose.
fn share(other: &impl Display) -> String {
    format!("write `interceptor: {{ shared: true }}` in this tenant and in {other}, if both are in one hand")
}
