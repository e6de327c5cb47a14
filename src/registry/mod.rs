//! What operators declare: tenants and clients, as one snapshot that a request takes once and keeps.

mod building;
mod claims;
pub mod client;
mod client_check;
mod client_spec;
mod client_values;
mod cost;
mod current;
pub mod demo;
pub mod document;
pub mod file;
mod host_table;
mod incremental;
mod known_keys;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(not(feature = "kubernetes"))]
#[path = "no_kubernetes.rs"]
pub mod kubernetes;
mod parsed;
mod problem;
pub mod reload;
pub mod resources;
pub mod secrets;
mod served;
mod shared_map;
pub mod snapshot;
pub mod spelling;
pub mod tenant;
mod tenant_check;
mod tenant_spec;
mod tenant_values;
mod written;

pub use claims::{Contested, Tolerance};
pub use current::Registry;
pub use problem::{Problem, Severity};
pub use snapshot::Snapshot;
