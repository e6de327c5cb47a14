//! uitsmijter: an authorization server for OAuth 2.0 and OpenID Connect.

pub mod app;
pub mod clock;
pub mod endpoint;
pub mod grant;
pub mod issuer;
pub mod key;
pub mod log;
pub mod login;
pub mod metrics;
pub mod protocol;
pub mod random;
pub mod registry;
pub mod server;
pub mod settings;
pub mod store;
pub mod token;
pub mod web;
