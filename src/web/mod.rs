//! What several endpoints need of HTTP.

pub mod bearer;
pub mod browser_hint;
pub mod callback;
mod client_authentication;
pub mod client_request;
pub mod cookies;
pub mod cors;
pub mod error;
pub mod form;
mod host;
pub mod original_url;
pub mod page_context;
pub mod request_id;
pub mod steps;
pub mod trace;
pub mod visit;
