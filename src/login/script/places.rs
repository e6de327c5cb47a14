//! Limits how many runs there are at once, so that no tenant takes the places of the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The runs that a tenant always gets while there is room at all.
const FEW: usize = 4;

/// The places of a pool. A tenant may hold as many as are free, and not one more: a single busy one gets half of all,
/// of two each a third, and there is always room for the next.
pub(super) struct Places {
    most: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    by_tenant: HashMap<Arc<str>, usize>,
}

/// One run's place; free again when it is dropped.
pub(super) struct Place<'p> {
    places: &'p Places,
    tenant: Arc<str>,
}

impl Places {
    /// `most` places, all free.
    pub(super) fn new(most: usize) -> Self {
        Self { most, held: Mutex::default() }
    }

    /// A place for a run of `tenant`; `None` if there is none, or the tenant has its part.
    pub(super) fn take(&self, tenant: &str) -> Option<Place<'_>> {
        let mut held = self.held();
        let free = self.most - held.all;
        let own = held.by_tenant.get(tenant).copied().unwrap_or_default();
        if free == 0 || own >= free.max(FEW) {
            return None;
        }
        let tenant: Arc<str> = tenant.into();
        held.all += 1;
        *held.by_tenant.entry(Arc::clone(&tenant)).or_default() += 1;
        Some(Place { places: self, tenant })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut held = self.places.held();
        held.all -= 1;
        if let Some(own) = held.by_tenant.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                held.by_tenant.remove(&self.tenant);
            }
        }
    }
}
