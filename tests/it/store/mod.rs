//! The store: the promises of `Backend` on every backend, the typed handle, and what only one backend can do.

mod crashes;
mod earlier_rows;
mod embedded;
pub(crate) mod fixture;
mod histories;
mod kinds;
mod promises;
mod redis;
mod redis_topologies;
mod slots;
mod sweep;
mod typed;
mod update;
