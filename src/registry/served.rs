//! What one reading serves, and how the next one finds it again.

use super::document::Kind;
use super::parsed::Entity;

/// Which tenant or client, from one reading to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// Names of clients are only unique within a source, those of tenants everywhere.
    source: Option<String>,
    /// Index among documents of this name.
    pub(super) nth: usize,
}

/// A tenant or client as it is served, and where its document stands.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) source: String,
    pub(super) line: usize,
    pub(super) entity: Entity,
}

impl Id {
    /// The first of its name.
    pub(super) fn first(kind: Kind, name: String, source: &str) -> Self {
        let source = (kind == Kind::Client).then(|| source.to_owned());
        Self { kind, name, source, nth: 0 }
    }
}
