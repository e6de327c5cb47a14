//! What can be stored, and how it is read back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A thing that can be stored. Unknown members are ignored and new ones have defaults, because two versions of the
/// server may share one store.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// The first part of its key, for instance `code`.
    const KIND: &'static str;
    /// What [`Record::KIND`] was in an earlier version, for [`Store::get_earlier`](super::Store::get_earlier).
    const EARLIER_KIND: Option<&'static str> = None;
    /// The kind of the record beside which it lies, where a backend keeps neighbours together: its own id then begins with
    /// the id of that record and a dot. An id without a dot has no neighbour.
    const BESIDE: Option<&'static str> = None;
}

/// What [`Store::consume`](super::Store::consume) found.
#[derive(Debug)]
pub enum Consumed<R> {
    /// This is its first use.
    First(R),
    /// It has been used before, and this is what it was.
    Again(R),
}

/// A record as it was read, with the proof that [`Store::replace`](super::Store::replace) needs.
#[derive(Clone, Debug)]
pub struct Loaded<R> {
    /// The record.
    pub record: R,
    pub(super) raw: Vec<u8>,
}

impl<R> Loaded<R> {
    /// Whether both were read from the same bytes.
    pub fn is_same(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

/// A record as its bytes hold it.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope<R> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
    pub(super) record: R,
}

/// The name of the group of `kind` with this `id`, for instance of a token family.
pub fn group(kind: &str, id: &str) -> String {
    format!("group:{kind}:{}", digest(id))
}

/// The name under which the store keeps an id: its SHA-256, so that what leaks from a store opens nothing.
pub fn digest(id: &str) -> String {
    digest_of(id.as_bytes())
}

/// SHA-256 as unpadded base64url: 43 characters.
pub fn digest_of(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}
