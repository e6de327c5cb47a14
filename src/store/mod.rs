//! What outlives a request: typed records over a small contract that every backend keeps.
//!
//! The backend sees digests, never a code or a token. Expiry is decided here, against the injected
//! [`Clock`](crate::clock::Clock); the backend's own expiry is only housekeeping. Every key carries its tenant, so that
//! nothing of one tenant can be found by another, and so that all keys of a tenant live in one slot of a Redis Cluster.

mod backend;
mod batch;
mod change;
mod foreign;
mod grouped;
pub mod memory;
mod opening;
mod record;
#[cfg(feature = "embedded")]
pub mod redb;
#[cfg(feature = "redis")]
pub mod redis;
mod rows;
pub mod settings;
pub mod slots;
mod typed;
mod update;

pub use backend::{Backend, Page};
pub use batch::Batch;
pub use change::{Change, Entry};
pub use foreign::Foreign;
pub use opening::open;
pub use record::{Consumed, Loaded, Record, digest, digest_of, group};
pub use settings::StoreSettings;
pub use typed::Store;
pub use update::{Contended, Replacement, TRIES};
