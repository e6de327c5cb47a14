//! What a backend can be asked to change.

use std::time::Duration;

/// One of the changes that [`Backend::commit`](super::Backend::commit) makes together.
#[derive(Clone, Debug)]
pub enum Change {
    /// Puts the entry. What was there is replaced: its value, its groups and the count of its uses.
    Put(Entry),
    /// Puts the entry if what is there equals `expected` (`None`: if nothing is there). It is then in its own groups and
    /// no others; the count of its uses stays as it is.
    Replace {
        /// What must be there.
        expected: Option<Vec<u8>>,
        /// What takes its place.
        entry: Entry,
    },
    /// Marks the first use of a key, if it is there and unused ([`Backend::consume`](super::Backend::consume)).
    UseFirst(String),
    /// Changes nothing, and depends on a key that is there.
    Require(String),
    /// Removes a key, whether it is there or not.
    Remove(String),
    /// Removes a key if what is there equals `expected`.
    Take {
        /// Where.
        key: String,
        /// What must be there.
        expected: Vec<u8>,
    },
}

impl Change {
    /// The key that it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Put(entry) | Self::Replace { entry, .. } => &entry.key,
            Self::UseFirst(key) | Self::Require(key) | Self::Remove(key) | Self::Take { key, .. } => key,
        }
    }
}

/// A value with all that is kept with it. A group lives as long as its longest member.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where.
    pub key: String,
    /// What.
    pub value: Vec<u8>,
    /// Of which groups it is a member.
    pub groups: Vec<String>,
    /// For how long at least, from now on; `None`: for good.
    pub keep: Option<Duration>,
}
