//! What operators declare: tenants and clients, as one snapshot that a request takes once and keeps.

pub mod client;
pub mod tenant;
