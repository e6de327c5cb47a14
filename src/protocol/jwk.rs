//! Public keys on the wire: RFC 7517, RFC 7518 §3.1 and §6, RFC 7638 (thumbprint), RFC 8037 (Ed25519).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Validation;
use serde::{Deserialize, Serialize};

/// How a token is signed: the `alg` of RFC 7518 §3.1 and RFC 8037 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
    /// HMAC with SHA-256: a secret shared with every resource server, for installations that migrate away from it.
    HS256,
}

impl Algorithm {
    /// The value of `alg` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
            Self::HS256 => "HS256",
        }
    }

    /// How jsonwebtoken calls it.
    pub fn jose(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::RS256 => jsonwebtoken::Algorithm::RS256,
            Self::PS256 => jsonwebtoken::Algorithm::PS256,
            Self::ES256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDSA => jsonwebtoken::Algorithm::EdDSA,
            Self::HS256 => jsonwebtoken::Algorithm::HS256,
        }
    }

    /// Verifies a signature of this algorithm and no other, and none of the claims: those are checked by our own clock.
    pub fn signature_alone(self) -> Validation {
        let mut validation = Validation::new(self.jose());
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        validation
    }

    /// Whether tokens are signed with a private key and verified with the published one.
    pub fn is_asymmetric(self) -> bool {
        self != Self::HS256
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = String;

    /// Reads a name in any case, as operators write it.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::RS256, Self::PS256, Self::ES256, Self::EdDSA, Self::HS256]
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name.trim()))
            .ok_or_else(|| format!("{name:?} is not an algorithm; use RS256, PS256, ES256, EdDSA or HS256"))
    }
}

/// The public half of a signing key: RFC 7517 §4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// RFC 7517 §4.5: the key id.
    pub kid: String,
    /// RFC 7517 §4.4: the algorithm.
    pub alg: Algorithm,
    /// RFC 7517 §4.2: always `sig`.
    #[serde(rename = "use")]
    pub key_use: String,
    /// The key itself.
    #[serde(flatten)]
    pub material: KeyMaterial,
}

/// The members that depend on the key type, all base64url without padding: RFC 7518 §6.2 and §6.3, RFC 8037 §2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum KeyMaterial {
    /// RSA: modulus and exponent.
    #[serde(rename = "RSA")]
    Rsa {
        /// Modulus, big endian.
        n: String,
        /// Public exponent, big endian.
        e: String,
    },
    /// Elliptic curve P-256: the point.
    #[serde(rename = "EC")]
    Ec {
        /// Always `P-256`.
        crv: String,
        /// First coordinate, 32 bytes.
        x: String,
        /// Second coordinate, 32 bytes.
        y: String,
    },
    /// Ed25519: the point.
    #[serde(rename = "OKP")]
    Okp {
        /// Always `Ed25519`.
        crv: String,
        /// The public key, 32 bytes.
        x: String,
    },
}

impl KeyMaterial {
    /// The thumbprint of RFC 7638 §3 with SHA-256, base64url without padding.
    pub fn thumbprint(&self) -> String {
        // §3.2: the required members in lexicographic order, without white space. The values are base64url, so
        // nothing needs to be escaped.
        let canonical = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::Ec { crv, x, y } => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Okp { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes()))
    }
}

/// RFC 7517 §5.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys, the signing one first.
    pub keys: Vec<Jwk>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_the_one_of_the_rfc() {
        // RFC 7638 §3.1
        let key = KeyMaterial::Rsa {
            n: concat!(
                "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhM",
                "stn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5",
                "hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
            )
            .into(),
            e: "AQAB".into(),
        };
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn an_algorithm_is_read_in_any_case() {
        assert_eq!("es256".parse(), Ok(Algorithm::ES256));
        assert_eq!("EDDSA".parse(), Ok(Algorithm::EdDSA));
        assert!("none".parse::<Algorithm>().is_err());
    }
}
