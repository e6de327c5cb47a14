//! Divides what there is only so much of, so that no tenant takes the part of the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places, or bytes. A tenant may hold as much as is free, and not more: a single busy one gets half of all, of two each
/// a third, and there is always something left for the next.
pub(super) struct Shares {
    most: usize,
    /// What a tenant always gets while there is anything at all.
    few: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    by_tenant: HashMap<Arc<str>, usize>,
}

/// What a tenant holds; free again when it is dropped.
pub(super) struct Share {
    shares: Arc<Shares>,
    tenant: Arc<str>,
    amount: usize,
}

impl Shares {
    /// `most` in all, and all of it free.
    pub(super) fn new(most: usize, few: usize) -> Arc<Self> {
        Arc::new(Self { most, few, held: Mutex::default() })
    }

    /// A share of so much; `None` if there is not so much left, or the tenant has its part.
    pub(super) fn take(self: &Arc<Self>, tenant: &Arc<str>, amount: usize) -> Option<Share> {
        let mut share = Share { shares: Arc::clone(self), tenant: Arc::clone(tenant), amount: 0 };
        share.grow(amount).then_some(share)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes so much more, if there is so much for this tenant.
    pub(super) fn grow(&mut self, amount: usize) -> bool {
        let mut held = self.shares.held();
        let free = self.shares.most - held.all;
        let own = held.by_tenant.get(&self.tenant).copied().unwrap_or_default();
        if amount > free || own >= free.max(self.shares.few) {
            return false;
        }
        held.all += amount;
        *held.by_tenant.entry(Arc::clone(&self.tenant)).or_default() += amount;
        self.amount += amount;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        held.all -= self.amount;
        if let Some(own) = held.by_tenant.get_mut(&self.tenant) {
            *own -= self.amount;
            if *own == 0 {
                held.by_tenant.remove(&self.tenant);
            }
        }
    }
}
