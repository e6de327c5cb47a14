//! Tenants' own templates, from `Resources/Views/<slug>/*.html` and from buckets, and the operator's own sentences, read
//! again when they change.

mod bucket;
mod folder;
pub mod follow_buckets;
mod listed;
#[cfg(not(feature = "s3"))]
mod no_s3;
#[cfg(feature = "s3")]
mod s3;
mod tenant_views;
mod translations;

#[cfg(not(feature = "s3"))]
use no_s3 as s3;
pub use tenant_views::{Views, problems};
