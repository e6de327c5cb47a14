//! Names as a tree of their labels, the last label first: what lies below a domain, and which wildcards can mean the
//! same host, is found on the way down. A copy shares what does not change.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::hand::Hand;
use super::purpose::Purpose;

/// A name, what for, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) purpose: Purpose,
    /// Exact, or with `*` for one label.
    pub(super) name: Arc<str>,
    /// The tenant.
    pub(super) tenant: Arc<str>,
    pub(super) hand: Arc<Hand>,
}

/// The root is the name of nobody.
#[derive(Clone, Default)]
pub(super) struct NameTree(Node);

/// What is claimed at one name.
#[derive(Clone, Default)]
pub(super) struct Node {
    /// In an order, so that messages are the same every time.
    below: BTreeMap<Box<str>, Arc<Node>>,
    /// Hosts, the first that came first.
    pub(super) names: Vec<Claim>,
    /// Cookie domains.
    pub(super) cookies: Vec<Claim>,
    /// How many hosts each hand has below: most tenants are told from here that nobody else is there.
    hands_beneath: BTreeMap<Arc<Hand>, usize>,
}

impl NameTree {
    pub(super) fn insert(&mut self, claim: &Claim) {
        self.0.change(&labels(&claim.name), claim, true);
    }

    pub(super) fn remove(&mut self, claim: &Claim) {
        self.0.change(&labels(&claim.name), claim, false);
    }

    /// The node of exactly this name.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        labels(name).iter().try_fold(&self.0, |node, label| node.below.get(*label).map(Arc::as_ref))
    }

    /// Asks `judge` about every name, and every domain above one, that can mean a host that `name` means, with the number
    /// of labels that are left of `name` below it; gives its first answer.
    pub(super) fn meet<T>(&self, name: &str, mut judge: impl FnMut(&Node, usize) -> Option<T>) -> Option<T> {
        self.0.meet(&labels(name), &mut judge)
    }
}

impl Node {
    fn change(&mut self, labels: &[&str], claim: &Claim, is_new: bool) {
        let Some((label, rest)) = labels.split_first() else {
            let list = if claim.purpose == Purpose::Cookie { &mut self.cookies } else { &mut self.names };
            if is_new {
                list.push(claim.clone());
            } else {
                list.retain(|other| other != claim);
            }
            return;
        };
        if claim.purpose != Purpose::Cookie {
            let count = self.hands_beneath.entry(claim.hand.clone()).or_default();
            *count = if is_new { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.hands_beneath.remove(&claim.hand);
            }
        }
        let child = self.below.entry((*label).into()).or_default();
        Arc::make_mut(child).change(rest, claim, is_new);
        if child.is_empty() {
            self.below.remove(*label);
        }
    }

    fn is_empty(&self) -> bool {
        self.below.is_empty() && self.names.is_empty() && self.cookies.is_empty()
    }

    fn meet<T>(&self, labels: &[&str], judge: &mut impl FnMut(&Self, usize) -> Option<T>) -> Option<T> {
        if let Some(found) = judge(self, labels.len()) {
            return Some(found);
        }
        let (label, rest) = labels.split_first()?;
        if *label == "*" {
            return self.below.values().find_map(|node| node.meet(rest, judge));
        }
        [*label, "*"].iter().filter_map(|label| self.below.get(*label)).find_map(|node| node.meet(rest, judge))
    }

    /// The first host below that `wanted` is true of; it may only ask for the hand.
    pub(super) fn first_beneath(&self, wanted: &dyn Fn(&Claim) -> bool) -> Option<Claim> {
        self.below.values().find_map(|node| {
            let here = || node.names.iter().find(|claim| wanted(claim)).cloned();
            here().or_else(|| node.first_beneath(wanted))
        })
    }

    /// Whether a hand that `wanted` is true of has a host below.
    pub(super) fn has_beneath(&self, wanted: impl Fn(&Hand) -> bool) -> bool {
        self.hands_beneath.keys().any(|hand| wanted(hand))
    }
}

/// The last label first. An address is one label: no wildcard means a part of it, and nothing lies below.
fn labels(name: &str) -> Vec<&str> {
    if name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok() { vec![name] } else { name.rsplit('.').collect() }
}
