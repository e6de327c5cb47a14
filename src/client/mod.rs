//! Who a client is, and how it authenticates.

pub mod assertion;
pub mod authentication;
pub mod declared;
