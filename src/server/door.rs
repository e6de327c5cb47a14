//! Who may connect: a ceiling for all connections, which leaves descriptors for everything else, and one per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::login::network;
use crate::origin::is_trusted;

/// Connections at once where neither the operator nor the system says less. One costs 10 to 40 kB.
const MOST: usize = 4096;
/// Descriptors that connections leave: files, the store, calls, probes. A quarter of them, and at most this many.
const RESERVE: usize = 512;

/// The door of one listener. Cheap to clone.
#[derive(Clone)]
pub(super) struct Door {
    free: Arc<Semaphore>,
    guests: Arc<Guests>,
    app: App,
}

/// How many connections there are from each network.
#[derive(Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

/// A place behind the door; it is free again when this is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    guest: Option<(IpAddr, Arc<Guests>)>,
}

impl Door {
    /// A door for as many connections as the settings say and the system can bear.
    pub(super) fn of_the_public(app: App) -> Self {
        let most = affordable(app.settings.connections.most.unwrap_or(MOST), descriptors());
        Self::with_room_for(most, app)
    }

    /// A door for `most` connections.
    pub(super) fn with_room_for(most: usize, app: App) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), guests: Arc::default(), app }
    }

    /// A place for a connection from `peer`; `None` if there is none, or if that address has too many. Proxies bring the
    /// connections of many people, so there is no limit for those of the operator.
    pub(super) fn enter(&self, peer: Option<IpAddr>) -> Option<Place> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        let peer = peer.map(|peer| peer.to_canonical());
        let stranger =
            peer.filter(|peer| !is_trusted(Some(*peer), &self.app.settings) && !self.app.undeclared_proxies.has(*peer));
        let Some(network) = stranger.map(network::of) else { return Some(Place { _permit: permit, guest: None }) };
        let most = self.app.settings.connections.per_address;
        self.guests.admit(network, most).then(|| Place { _permit: permit, guest: Some((network, self.guests.clone())) })
    }
}

impl Guests {
    fn admit(&self, network: IpAddr, most: usize) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(network).or_default();
        let admitted = *own < most;
        *own += usize::from(admitted);
        admitted
    }

    fn part(&self, network: IpAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&network) {
            *own -= 1;
            if *own == 0 {
                all.remove(&network);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((network, guests)) = &self.guest {
            guests.part(*network);
        }
    }
}

/// How many descriptors this process may have, after it took all that it is allowed to take; `None`: without a limit.
fn descriptors() -> Option<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum.and_then(|most| usize::try_from(most).ok());
    }
    current.and_then(|most| usize::try_from(most).ok())
}

/// `wanted` connections, or as many as `descriptors` allow.
fn affordable(wanted: usize, descriptors: Option<usize>) -> usize {
    let Some(all) = descriptors else { return wanted };
    let left = all - (all / 4).min(RESERVE);
    if left < wanted {
        tracing::warn!(
            connections = left,
            descriptors = all,
            "fewer connections than wanted: raise the limit of open files"
        );
    }
    wanted.min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(affordable(4096, None), 4096);
        assert_eq!(affordable(4096, Some(1024)), 768);
        assert_eq!(affordable(4096, Some(1_048_576)), 4096);
        assert_eq!(affordable(100, Some(1024)), 100);
    }

    #[test]
    fn an_address_has_room_again_when_its_connections_end() {
        let (guests, network) = (Guests::default(), "203.0.113.9".parse().unwrap());
        assert!(guests.admit(network, 2) && guests.admit(network, 2) && !guests.admit(network, 2));
        guests.part(network);
        assert!(guests.admit(network, 2));
        guests.part(network);
        guests.part(network);
        assert!(guests.0.lock().unwrap().is_empty());
    }
}
