//! The public keys of a client that signs assertions (RFC 7523): RFC 7517 §5. Parsing is lenient, use is strict.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, decode, decode_header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::jwk::Algorithm;

/// The algorithms that a client may sign with: OIDC Core §9 without `none` and without shared secrets.
pub const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// Smallest RSA modulus, in bytes: RFC 7518 §3.3.
const MIN_MODULUS: usize = 256;
/// The most keys that are read; more than any rotation needs.
const MAX_KEYS: usize = 64;

/// The keys of a set that this server can verify with. Others are ignored (RFC 7517 §5).
#[derive(Clone, Debug, Default)]
pub struct ClientKeys(Vec<ClientKey>);

#[derive(Clone)]
struct ClientKey {
    kid: Option<String>,
    /// The accepted algorithms: the key decides, never the token (RFC 8725 §3.1).
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why an assertion was refused; for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Not a signed token, or one that requires an extension (RFC 7515 §4.1.11).
    Malformed,
    /// No key of the set has its `kid` and `alg`: the set may be outdated.
    UnknownKey,
    /// The signature does not match.
    WrongSignature,
}

impl ClientKeys {
    /// Reads a JWK set.
    ///
    /// Errors: a sentence for the operator if it is not a key set.
    pub fn parse(set: &Value) -> Result<Self, String> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or("it has no list called keys")?;
        if keys.len() > MAX_KEYS {
            return Err(format!("it has more than {MAX_KEYS} keys"));
        }
        Ok(Self(keys.iter().filter_map(ClientKey::read).collect()))
    }

    /// Whether it has no usable key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The claims of `token` if one of the keys signed it. The claims are not validated.
    pub fn verify<C: DeserializeOwned + Clone>(&self, token: &str) -> Result<C, Unproven> {
        let header = decode_header(token).map_err(|_| Unproven::Malformed)?;
        if header.crit.is_some() {
            return Err(Unproven::Malformed);
        }
        let fits = |key: &&ClientKey| header.kid.is_none() || key.kid.is_none() || key.kid == header.kid;
        let mut outcome = Err(Unproven::UnknownKey);
        for key in self.0.iter().filter(fits) {
            for algorithm in &key.algorithms {
                match signed_by(token, *algorithm, &key.key) {
                    Err(Unproven::UnknownKey) => {}
                    Err(reason) => outcome = Err(reason),
                    proven => return proven,
                }
            }
        }
        outcome
    }
}

fn signed_by<C: DeserializeOwned + Clone>(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<C, Unproven> {
    match decode::<C>(token, key, &algorithm.signature_alone()) {
        Ok(data) => Ok(data.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::InvalidAlgorithm => Unproven::UnknownKey,
            ErrorKind::InvalidSignature => Unproven::WrongSignature,
            _ => Unproven::Malformed,
        }),
    }
}

impl ClientKey {
    /// One key, or nothing if it has another use or an unsupported type.
    fn read(jwk: &Value) -> Option<Self> {
        let member = |name: &str| jwk.get(name).and_then(Value::as_str);
        if member("use").is_some_and(|key_use| key_use != "sig") {
            return None;
        }
        let (fitting, key) = match (member("kty")?, member("crv")) {
            ("RSA", _) => {
                let (modulus, exponent) = (bytes(member("n")?)?, bytes(member("e")?)?);
                let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
                let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
                (vec![Algorithm::RS256, Algorithm::PS256], Some(key).filter(|_| significant >= MIN_MODULUS)?)
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (member("x")?, member("y")?);
                let whole = bytes(x)?.len() == 32 && bytes(y)?.len() == 32;
                (vec![Algorithm::ES256], DecodingKey::from_ec_components(x, y).ok().filter(|_| whole)?)
            }
            ("OKP", Some("Ed25519")) => {
                let x = member("x")?;
                (vec![Algorithm::EdDSA], DecodingKey::from_ed_components(x).ok().filter(|_| x.len() == 43)?)
            }
            _ => return None,
        };
        let named = member("alg");
        let algorithms: Vec<Algorithm> =
            fitting.into_iter().filter(|algorithm| named.is_none_or(|named| named == algorithm.as_str())).collect();
        (!algorithms.is_empty()).then(|| Self { kid: member("kid").map(str::to_owned), algorithms, key })
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({:?}, {:?})", self.kid, self.algorithms)
    }
}
