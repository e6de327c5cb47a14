//! A private key, parsed once and kept: the only place where signatures are made.
//!
//! jsonwebtoken is not used for this. Its signers keep the encoded key and parse it for each signature, which for RSA
//! costs 2.6 times the signature itself. A parsed key of aws-lc-rs signs at the speed of the machine, from any thread,
//! without a lock. The `rsa` crate, whose private operation is not constant time (RUSTSEC-2023-0071), never signs.

use anyhow::{Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::protocol::jwk::{Algorithm, KeyMaterial};

/// A private key that is ready to sign. It has no Debug on purpose.
pub struct PrivateKey(Kind);

enum Kind {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The uncompressed form of a point on P-256: a marker, then two coordinates of 32 bytes (SEC 1 §2.3.3).
const P256_POINT: usize = 65;

impl PrivateKey {
    /// Reads an unencrypted PKCS#8 document (RFC 5208), which must hold a key for `algorithm`.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self> {
        let rejected = |why| anyhow!("this is not a private key for {algorithm}: {why}");
        Ok(Self(match algorithm {
            Algorithm::RS256 => Kind::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(rejected)?, &RSA_PKCS1_SHA256),
            Algorithm::PS256 => Kind::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(rejected)?, &RSA_PSS_SHA256),
            Algorithm::ES256 => {
                Kind::Ecdsa(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(rejected)?)
            }
            Algorithm::EdDSA => Kind::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(rejected)?),
            Algorithm::HS256 => return Err(anyhow!("HS256 has no private key")),
        }))
    }

    /// Its public half.
    pub fn public(&self) -> KeyMaterial {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.0 {
            Kind::Rsa(pair, _) => KeyMaterial::Rsa {
                // RFC 7518 §6.3.1.1: without leading zero bytes.
                n: encode(pair.public_key().modulus().big_endian_without_leading_zero()),
                e: encode(pair.public_key().exponent().big_endian_without_leading_zero()),
            },
            Kind::Ecdsa(pair) => {
                let point = pair.public_key().as_ref();
                debug_assert_eq!(point.len(), P256_POINT);
                let (x, y) = point[1..].split_at(P256_POINT / 2);
                KeyMaterial::Ec { crv: "P-256".into(), x: encode(x), y: encode(y) }
            }
            Kind::Ed25519(pair) => KeyMaterial::Okp { crv: "Ed25519".into(), x: encode(pair.public_key().as_ref()) },
        }
    }

    /// The signature of `message` as it stands in a token (RFC 7518 §3.3–§3.5, RFC 8037 §3.1).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let failed = |_| anyhow!("the signature could not be made");
        // aws-lc-rs takes its chance from the system and ignores this parameter.
        let random = SystemRandom::new();
        Ok(match &self.0 {
            Kind::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(failed)?;
                signature
            }
            Kind::Ecdsa(pair) => pair.sign(&random, message).map_err(failed)?.as_ref().to_vec(),
            Kind::Ed25519(pair) => pair.try_sign(message).map_err(failed)?.as_ref().to_vec(),
        })
    }
}
