//! Proxies of which the operator did not tell the server: each is named in the log once, and by readiness.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// The most addresses that are kept: more proxies than that are listed by their range.
const MOST: usize = 16;

/// Their addresses. Cheap to clone.
#[derive(Clone, Default)]
pub struct UndeclaredProxies(Arc<RwLock<BTreeSet<IpAddr>>>);

impl UndeclaredProxies {
    /// Notes such a peer, and logs it the first time.
    pub fn note(&self, peer: IpAddr) {
        if self.has(peer) {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST && known.insert(peer) {
            tracing::warn!(
                peer = %peer,
                "a private address sends X-Forwarded-For, which is not believed: if it is a proxy of yours, list it in \
                 TRUSTED_PROXIES; until then no limit per address holds for it"
            );
        }
    }

    /// Whether the peer was noted.
    pub fn has(&self, peer: IpAddr) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&peer)
    }

    /// The addresses, in order.
    pub fn all(&self) -> Vec<IpAddr> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}
