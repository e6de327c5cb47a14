//! uitsmijter: an authorization server for OAuth 2.0 and OpenID Connect.

pub mod clock;
pub mod key;
pub mod login;
pub mod protocol;
pub mod random;
pub mod registry;
pub mod store;
pub mod web;
