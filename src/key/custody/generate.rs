//! New keys, and their names.

use anyhow::{Result, anyhow, bail};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::key::custody::private_key::PrivateKey;
use crate::protocol::jwk::{Algorithm, Jwk, KeyMaterial};

/// A new key, with its private half unsealed.
pub struct NewKey {
    /// The public half, named.
    pub public: Jwk,
    /// The private half as PKCS#8 (RFC 5208).
    pub pkcs8: Zeroizing<Vec<u8>>,
}

/// Makes a key for `algorithm`, named after `now`. RSA gets the public exponent 65537. On a thread that may block,
/// because an RSA key takes tens of milliseconds and now and then a few hundred.
pub async fn generate(algorithm: Algorithm, rsa_bits: u32, now: Timestamp) -> Result<NewKey> {
    tokio::task::spawn_blocking(move || generate_blocking(algorithm, rsa_bits, now)).await?
}

fn generate_blocking(algorithm: Algorithm, rsa_bits: u32, now: Timestamp) -> Result<NewKey> {
    let failed = |_| anyhow!("a key for {algorithm} could not be made");
    let pkcs8 = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => {
            let pair = RsaKeyPair::generate(key_size(rsa_bits)?).map_err(failed)?;
            let document: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
            document.as_ref().to_vec()
        }
        Algorithm::ES256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
            pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
        }
        Algorithm::EdDSA => {
            Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8()).map_err(failed)?.as_ref().to_vec()
        }
        Algorithm::HS256 => bail!("HS256 has no key pair to make"),
    };
    let pkcs8 = Zeroizing::new(pkcs8);
    let material = PrivateKey::from_pkcs8(algorithm, &pkcs8)?.public();
    Ok(NewKey { public: named(kid(&material, now), algorithm, material), pkcs8 })
}

/// The public key as the JWKS shows it.
pub fn named(kid: String, algorithm: Algorithm, material: KeyMaterial) -> Jwk {
    Jwk { kid, alg: algorithm, key_use: "sig".into(), material }
}

/// `<UTC date>-<first 8 characters of the RFC 7638 thumbprint>`: people can read its age, and no two keys share it.
fn kid(material: &KeyMaterial, now: Timestamp) -> String {
    let date: String = now.to_string().chars().take(10).collect();
    let thumbprint: String = material.thumbprint().chars().take(8).collect();
    format!("{date}-{thumbprint}")
}

fn key_size(rsa_bits: u32) -> Result<KeySize> {
    Ok(match rsa_bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        _ => bail!("RSA keys of {rsa_bits} bits are not offered; use 2048, 3072 or 4096"),
    })
}
