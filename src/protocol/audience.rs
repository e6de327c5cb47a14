//! RFC 7519 §4.1.3: `aud`, a string or a list of them.

use serde::{Deserialize, Serialize};

/// Whom a token is made for. One audience is written as a string.
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
