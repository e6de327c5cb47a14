//! Custom resources of a cluster as a source of tenants and clients: listed and watched, each for itself.
//!
//! `watch` keeps up with the API server, `seen` is what it told so far, `secrets` reads the Secrets that are named,
//! `status` tells the outcome, `review` says no before something is stored, `definition` describes the resources.
//! No other file knows the crate `kube`.

mod cluster;
mod definition;
mod news;
mod object;
mod refusals;
mod review;
mod round;
mod secrets;
mod seen;
mod status;
mod watch;

pub use cluster::Cluster;
pub use definition::definitions;
pub use review::review;
