//! What stands in the log for a user name that somebody typed and that led to no sign-in: people type passwords there.
//!
//! A keyed digest: whoever has the log alone cannot try names against it, and who has the secret finds a name again.

use std::sync::Arc;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Another use of the same secret gets another key.
const USE: &[u8] = b"uitsmijter user names in logs 1";
/// Bytes of a digest: two names have the same one by chance in no installation.
const LENGTH: usize = 16;

/// How names are written. Cheap to clone.
#[derive(Clone)]
pub enum LoggedNames {
    /// As typed, because the operator wants it.
    Clear,
    /// As a digest under this key.
    Digest(Arc<Key>),
}

impl LoggedNames {
    /// Digests under a key that is derived from `secret`.
    pub fn digested(secret: &[u8]) -> Self {
        let derived = sign(&Key::new(HMAC_SHA256, secret), USE);
        Self::Digest(Arc::new(Key::new(HMAC_SHA256, derived.as_ref())))
    }

    /// What is written for `typed`, whose spellings that are one name are `comparable`.
    pub fn of(&self, typed: &str, comparable: &str) -> String {
        match self {
            Self::Clear => typed.to_owned(),
            Self::Digest(key) => URL_SAFE_NO_PAD.encode(&sign(key, comparable.as_bytes()).as_ref()[..LENGTH]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LoggedNames;

    #[test]
    fn a_digest_depends_on_name_and_secret_and_shows_neither() {
        let digest = |secret: &str, name: &str| LoggedNames::digested(secret.as_bytes()).of(name, name);
        let ada = digest("one", "ada");
        assert_eq!((ada.len(), &ada), (22, &digest("one", "ada")));
        assert!(ada != digest("two", "ada") && ada != digest("one", "bob") && !ada.contains("ada"));
        assert_eq!(LoggedNames::Clear.of("Ada", "ada"), "Ada");
    }
}
