//! Who a client is, and how it proves that.

pub mod assertion;
pub mod authentication;
pub mod declared;
