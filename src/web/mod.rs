//! What several endpoints need of HTTP.

pub mod assets;
pub mod bearer;
pub mod browser_hint;
pub mod callback;
mod client_authentication;
pub mod client_request;
pub mod colour;
pub mod cookies;
pub mod cors;
pub mod document;
pub mod error;
pub mod form;
pub mod forwarded;
mod host;
pub mod kept_metadata;
pub mod locale;
pub mod look;
pub mod original_url;
mod page;
pub mod page_context;
mod page_policy;
pub mod pages;
pub mod steps;
mod template_shape;
pub mod trace;
pub mod turned_away;
pub mod views;
