//! The newer forms that replicas understand. A replica writes a newer form only once every living replica reads it, so
//! that a rolling upgrade, and the way back from it, never meets a row, a cookie or a URL that some replica cannot read.
//! What browsers carry waits until nobody goes back any more.
//!
//! To add one: a variant here, a name for it, and `everywhere` asked where the form is written. Both forms are read for as
//! long as the version before may run beside this one. A variant goes when that version does.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::key::replicas::heartbeat::Heartbeat;

/// A newer form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// A pending step of a browser travels sealed in the URL.
    SealedSteps,
    /// Cookies carry the tenant, or a prefix, in their name.
    TenantCookies,
    /// Rows of keys carry a MAC.
    KeyMac,
}

impl Capability {
    /// Those of this version.
    pub const ALL: [Self; 3] = [Self::SealedSteps, Self::TenantCookies, Self::KeyMac];

    /// Whether a replica lacks a form that this version has.
    pub fn is_lacked_by(beat: &Heartbeat) -> bool {
        Self::ALL.iter().any(|form| !beat.understands.contains(form.as_str()))
    }

    /// Its name in heartbeats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SealedSteps => "sealed-steps",
            Self::TenantCookies => "tenant-cookies",
            Self::KeyMac => "key-mac",
        }
    }

    fn is_carried_by_browsers(self) -> bool {
        matches!(self, Self::SealedSteps | Self::TenantCookies)
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What every living replica understood at the last look; nothing before the first.
#[derive(Default)]
pub struct Understood(AtomicU32);

impl Understood {
    /// Whether every living replica understands `form`. One atomic read, for the path of requests.
    pub fn everywhere(&self, form: Capability) -> bool {
        self.0.load(Ordering::Relaxed) & form.bit() != 0
    }

    /// Takes over what the replicas that live beside this one understand. What browsers carry waits until the upgrade
    /// `is_settled`, because a page that is open outlives the way back. Answers whether something changed.
    pub fn learn(&self, living: &[Heartbeat], is_settled: bool) -> bool {
        let listed = |form: &Capability| {
            (is_settled || !form.is_carried_by_browsers())
                && living.iter().all(|beat| beat.understands.contains(form.as_str()))
        };
        let now = Capability::ALL.into_iter().filter(listed).fold(0, |bits, form| bits | form.bit());
        self.0.swap(now, Ordering::Relaxed) != now
    }

    /// The names of what is understood everywhere, for the log.
    pub fn names(&self) -> Vec<&'static str> {
        Capability::ALL.into_iter().filter(|form| self.everywhere(*form)).map(Capability::as_str).collect()
    }
}
