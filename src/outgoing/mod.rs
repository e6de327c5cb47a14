//! The way out: calls to addresses that clients or operators name.

mod call;
pub mod client;
pub mod client_keys;
mod policy;

pub use call::{Answer, Outgoing};
