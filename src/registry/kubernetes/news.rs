//! What the API server tells about resources.

use super::object::Object;
use crate::registry::document::Kind;

/// What the API server told.
pub(super) enum News {
    /// Everything there is of a kind.
    Listed(Kind, Vec<Object>),
    /// One is new, or different.
    Changed(Kind, Object),
    /// One is gone.
    Gone(Kind, Object),
    /// It could not be asked, and why.
    Away(Kind, String),
}
