//! The way out: calls to addresses that clients or operators name.

mod address;
pub mod backends;
mod call;
pub mod client;
pub mod client_keys;
mod policy;
pub mod reach;

pub use call::{Answer, Outgoing};
