//! Private keys at rest: AES-256-GCM (NIST SP 800-38D) under keys derived by HKDF-SHA256 (RFC 5869); and the MACs of rows.
//!
//! Tenant and `kid` are the associated data, so that a row that was moved to another tenant or key does not open.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::key::custody::mac::Mac;
use crate::random::Random;
use crate::secret::Secret;

/// A private half as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateHalf {
    /// The name of the secret that sealed it, which reveals nothing about the secret; empty if it is not sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_by: Option<String>,
    /// Base64url of the PKCS#8 document, or of nonce, ciphertext and tag.
    #[serde(serialize_with = "write_data", deserialize_with = "read_data")]
    data: Zeroizing<String>,
}

/// Seals and opens private halves. Without a secret, they are stored unsealed.
pub struct Sealer {
    secrets: Vec<Derived>,
}

struct Derived {
    name: String,
    key: LessSafeKey,
    mac: hmac::Key,
}

/// Different uses of one secret get different keys; the suffix leaves room for a second way.
const SALT: &[u8] = b"uitsmijter signing keys at rest";
const ENCRYPTION: &[&[u8]] = &[b"aes-256-gcm 1"];
const MAC: &[&[u8]] = &[b"hmac-sha256 1"];
const NAME: &[&[u8]] = &[b"name 1"];

impl Sealer {
    /// The first of `secrets` seals, all open.
    pub fn new(secrets: &[Secret]) -> Result<Self> {
        let failed = |_| anyhow!("a sealing key could not be derived");
        let derive = |secret: &Secret| -> Result<Derived> {
            let prk: Prk = Salt::new(HKDF_SHA256, SALT).extract(secret.expose().as_bytes());
            let key = UnboundKey::from(prk.expand(ENCRYPTION, &AES_256_GCM).map_err(failed)?);
            let mac = hmac::Key::from(prk.expand(MAC, hmac::HMAC_SHA256).map_err(failed)?);
            let mut name = [0; 32];
            prk.expand(NAME, HKDF_SHA256).and_then(|okm| okm.fill(&mut name)).map_err(failed)?;
            Ok(Derived { name: URL_SAFE_NO_PAD.encode(&name[..6]), key: LessSafeKey::new(key), mac })
        };
        Ok(Self { secrets: secrets.iter().map(derive).collect::<Result<_>>()? })
    }

    /// Whether keys are sealed at all.
    pub fn is_sealing(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// The names of the secrets, which reveal nothing about them.
    pub fn names(&self) -> BTreeSet<String> {
        self.secrets.iter().map(|secret| secret.name.clone()).collect()
    }

    /// The MAC of `message` with the first of the secrets; `None` if there is none.
    pub fn mac(&self, message: &[u8]) -> Option<Mac> {
        let first = self.secrets.first()?;
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&first.mac, message));
        Some(Mac { by: first.name.clone(), tag })
    }

    /// Whether `mac` is that of `message`, made with one of the secrets. Compared in constant time.
    pub fn fits(&self, mac: &Mac, message: &[u8]) -> bool {
        let secret = self.secrets.iter().find(|secret| secret.name == mac.by);
        let tag = URL_SAFE_NO_PAD.decode(&mac.tag).ok();
        secret.zip(tag).is_some_and(|(secret, tag)| hmac::verify(&secret.mac, message, &tag).is_ok())
    }

    /// Whether the secret of this name is the first.
    pub fn is_first(&self, name: &str) -> bool {
        self.secrets.first().is_some_and(|secret| secret.name == name)
    }

    /// Seals a PKCS#8 document as the private half of the key `kid` of `tenant`.
    pub fn seal(&self, tenant: &str, kid: &str, pkcs8: &[u8], random: &dyn Random) -> Result<PrivateHalf> {
        let Some(first) = self.secrets.first() else {
            return Ok(PrivateHalf { sealed_by: None, data: URL_SAFE_NO_PAD.encode(pkcs8).into() });
        };
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut sealed = Zeroizing::new(pkcs8.to_vec());
        let tag = first
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), associated(tenant, kid), &mut sealed)
            .map_err(|_| anyhow!("the signing key {kid} of tenant {tenant} could not be sealed"))?;
        let data = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed, tag.as_ref()].concat());
        Ok(PrivateHalf { sealed_by: Some(first.name.clone()), data: data.into() })
    }

    /// The PKCS#8 document of the key `kid` of `tenant`; the error names both.
    pub fn open(&self, tenant: &str, kid: &str, half: &PrivateHalf) -> Result<Zeroizing<Vec<u8>>> {
        let whose = || format!("the private half of signing key {kid} of tenant {tenant}");
        let mut data = Zeroizing::new(
            URL_SAFE_NO_PAD
                .decode(half.data.as_bytes())
                .with_context(|| format!("{} is damaged in the store", whose()))?,
        );
        let Some(sealed_by) = &half.sealed_by else { return Ok(data) };
        let Some(secret) = self.secrets.iter().find(|secret| secret.name == *sealed_by) else {
            if self.is_sealing() {
                bail!("{} is sealed with a secret that is not in SIGNING_KEY_SECRET", whose());
            }
            bail!("{} is sealed, and SIGNING_KEY_SECRET is not set here", whose());
        };
        if data.len() < NONCE_LEN {
            bail!("{} is damaged in the store", whose());
        }
        let nonce = Nonce::try_assume_unique_for_key(&data[..NONCE_LEN])
            .map_err(|_| anyhow!("{} is damaged in the store", whose()))?;
        let opened = secret
            .key
            .open_in_place(nonce, associated(tenant, kid), &mut data[NONCE_LEN..])
            .map_err(|_| anyhow!("{} does not open: it was damaged, or moved from another tenant or key", whose()))?;
        Ok(Zeroizing::new(opened.to_vec()))
    }

    /// Whether `half` should be sealed again, because another secret comes first now.
    pub fn is_outdated(&self, half: &PrivateHalf) -> bool {
        self.is_sealing() && half.sealed_by.as_ref() != self.secrets.first().map(|secret| &secret.name)
    }

    /// Whether the secret of `half` is there, so that it opens unless it is damaged.
    pub fn knows(&self, half: &PrivateHalf) -> bool {
        half.sealed_by.as_ref().is_none_or(|name| self.secrets.iter().any(|secret| secret.name == *name))
    }
}

impl PrivateHalf {
    /// Whether it is sealed.
    pub fn is_sealed(&self) -> bool {
        self.sealed_by.is_some()
    }

    /// Whether it opens with one of the secrets of these `names`.
    pub fn is_opened_by(&self, names: &BTreeSet<String>) -> bool {
        self.sealed_by.as_ref().is_none_or(|name| names.contains(name))
    }
}

impl std::fmt::Debug for PrivateHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateHalf(sealed: {})", self.is_sealed())
    }
}

/// No tenant name and no kid contains a zero byte, so that no two pairs give the same bytes.
fn associated(tenant: &str, kid: &str) -> Aad<Vec<u8>> {
    Aad::from([tenant.as_bytes(), &[0], kid.as_bytes()].concat())
}

fn write_data<S: Serializer>(data: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(data)
}

fn read_data<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}
