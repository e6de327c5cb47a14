//! Who declares a tenant, as far as documents tell.

use crate::registry::document::Document;
use crate::registry::tenant::Tenant;

/// Where a tenant comes from, and whether it says that it shares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hand {
    /// The namespace of its resource; operators' files mostly have none.
    pub(super) namespace: Option<String>,
    file: Option<String>,
    shared: bool,
}

impl Hand {
    /// Of a tenant that is declared by `document`.
    pub(super) fn of(tenant: &Tenant, document: &Document) -> Self {
        Self {
            namespace: tenant.namespace.clone(),
            // A resource has no lines, and a name of its own.
            file: (document.line > 0).then(|| document.source.clone()),
            shared: tenant.interceptor.shared,
        }
    }

    /// Whether both may have a login page and a cookie domain in common: they lie in one file or one namespace, or both
    /// say so.
    pub(super) fn is_one_with(&self, other: &Self) -> bool {
        let same = |own: &Option<String>, other: &Option<String>| own.is_some() && own == other;
        (self.shared && other.shared) || same(&self.namespace, &other.namespace) || same(&self.file, &other.file)
    }
}
