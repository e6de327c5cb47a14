//! The words of OAuth 2.0 and OpenID Connect: types and their arithmetic, without I/O, clock or state.

pub mod audience;
pub mod authorization;
pub mod client_keys;
pub mod depth;
pub mod duration;
pub mod error;
pub mod jwk;
pub mod loopback;
pub mod metadata;
pub mod parameters;
pub mod pkce;
pub mod redirect_uri;
pub mod scope;
pub mod subject;
pub mod token;
pub mod token_exchange;
mod uri_pattern;

pub use error::{ErrorCode, OAuthError};
