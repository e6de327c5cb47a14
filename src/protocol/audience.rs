//! `aud`: RFC 7519 §4.1.3.

use serde::{Deserialize, Serialize};

/// The audience of a token; a single one is written as a string.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "named after what they are")]
pub enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// Every audience.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}
