//! Which conflicts are served all the same, for a while: those of an installation that had them before the register was.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What is claimed by whom against whom: the same from one reading to the next, and from one start to the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Contested {
    /// The tenant that came later.
    pub tenant: String,
    /// The key of its document.
    pub key: String,
    /// The name under it.
    pub name: String,
    /// The tenant that came first; empty where the document contradicts itself.
    pub other: String,
}

/// What is only warned of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tolerance {
    /// Nothing: every conflict is an error.
    #[default]
    Nothing,
    /// What an installation was found with.
    Known(Arc<BTreeSet<Contested>>),
    /// All of it, until it is known what there is.
    Everything,
}

impl Tolerance {
    /// Whether this conflict is only warned of.
    pub(in crate::registry) fn covers(&self, contested: &Contested) -> bool {
        match self {
            Self::Nothing => false,
            Self::Known(known) => known.contains(contested),
            Self::Everything => true,
        }
    }
}
