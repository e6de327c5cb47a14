//! What proves that a key is ours, and the words for what is not: see [`provenance`](super::provenance).

use serde::{Deserialize, Serialize};

/// A MAC as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mac {
    /// The name of the secret that it was made with.
    pub by: String,
    /// Base64url.
    pub tag: String,
}

/// Whether a key is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provenance {
    /// We made it just now, or it is proved.
    #[default]
    Proved,
    /// It is believed without a proof, because there is no secret, or a replica lives that makes no MAC.
    Unproved,
}

/// Why a key is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Foreign {
    /// It has no MAC, and no private half that could prove it.
    NoMac,
    /// Its MAC does not fit: it, or its row, was changed or moved.
    WrongMac,
    /// Its MAC or its private half was made with a secret that is not here.
    UnknownSecret,
}

impl Foreign {
    /// What an operator reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoMac => "it carries no MAC, and no sealed private half that fits",
            Self::WrongMac => "its MAC does not fit: it was changed, or moved from another tenant or key",
            Self::UnknownSecret => "it was made with a secret that is not in SIGNING_KEY_SECRET",
        }
    }
}
