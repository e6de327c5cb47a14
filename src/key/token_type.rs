//! The types of our tokens, and the encoded headers that carry them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Header;

use crate::protocol::jwk::Algorithm;

/// What a token is for; it says so in its `typ` (RFC 7515 §4.1.9), so that one is never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// RFC 9068 §2.1.
    Access,
    /// OIDC Core §2.
    Id,
    /// OIDC Back-Channel Logout §2.4.
    Logout,
}

impl TokenType {
    /// All of them, in the order of the prepared headers.
    pub const ALL: [Self; 3] = [Self::Access, Self::Id, Self::Logout];

    /// The value of `typ`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Id => "JWT",
            Self::Logout => "logout+jwt",
        }
    }
}

/// The encoded header (RFC 7515 §4) of each type of token. Prepared once per key, because it is always the same.
pub struct Headers([String; TokenType::ALL.len()]);

impl Headers {
    /// For a key of `algorithm` called `kid`.
    pub fn new(algorithm: Algorithm, kid: Option<&str>) -> Self {
        Self(TokenType::ALL.map(|token_type| {
            let mut header = Header::new(algorithm.jose());
            header.typ = Some(token_type.as_str().into());
            header.kid = kid.map(Into::into);
            // Three short texts, which always serialize.
            URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).unwrap_or_default())
        }))
    }

    /// The header of a `token_type`.
    pub fn of(&self, token_type: TokenType) -> &str {
        &self.0[token_type as usize]
    }
}
