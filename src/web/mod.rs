//! What several endpoints need of HTTP and of HTML.

pub mod assets;
pub mod colour;
pub mod locale;
pub mod look;
mod page;
mod page_policy;
pub mod pages;
