//! Which policy holds for which tenant: those that the operator wrote, and those of other namespaces.

use std::sync::Arc;

use super::policy::Policy;
use super::reach::{Listed, Reach};

/// The policies for tenants of the operator and for those of others. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backends {
    policies: [Policy; 2],
    /// The operator's namespace, where tenants also come from others; `None` where all are the operator's.
    namespace: Option<Arc<str>>,
}

/// Whose a tenant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The operator's: from a file, or of the namespace of the server.
    Own = 0,
    /// Of another namespace.
    Other = 1,
}

impl Backends {
    /// Without a list, the operator's tenants may call all private addresses and those of others none; with one, all may
    /// call what is listed. `namespace` is the operator's, if there are others.
    pub fn new(listed: Option<Vec<Listed>>, namespace: Option<&str>) -> Self {
        let reaches = match listed {
            Some(listed) => [Reach::Listed(listed.clone()), Reach::Listed(listed)],
            None => [Reach::Anywhere, Reach::Public],
        };
        Self { policies: reaches.map(|reach| Policy::Tenant(Arc::new(reach))), namespace: namespace.map(Into::into) }
    }

    /// Whose a tenant is, by the namespace in which it lies, if it lies in one.
    pub fn whose(&self, namespace: Option<&str>) -> Whose {
        match (&self.namespace, namespace) {
            (Some(own), Some(namespace)) if **own != *namespace => Whose::Other,
            _ => Whose::Own,
        }
    }

    /// The policy of these tenants.
    pub fn policy(&self, whose: Whose) -> &Policy {
        &self.policies[whose as usize]
    }
}

impl Default for Backends {
    /// All tenants are the operator's.
    fn default() -> Self {
        Self::new(None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_of_another_namespace_is_not_the_operators() {
        let backends = Backends::new(None, Some("uitsmijter"));
        assert_eq!(backends.whose(None), Whose::Own);
        assert_eq!(backends.whose(Some("uitsmijter")), Whose::Own);
        assert_eq!(backends.whose(Some("cheese")), Whose::Other);
        assert_eq!(Backends::default().whose(Some("cheese")), Whose::Own);
    }
}
