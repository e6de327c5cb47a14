//! What people see: pages, their look, language and templates. Independent of requests.

pub mod assets;
pub mod colour;
pub mod content;
mod language;
pub mod locale;
pub mod look;
pub mod pages;
mod policy;
mod template_shape;
pub mod views;

pub use content::{ActivateError, Demo, Fields, LoginError, OpenSession, Page, Person};
pub use pages::{Owner, Pages, View};
pub use policy::content_security_policy;
