//! The keys that one secret gives.

use anyhow::{Result, anyhow};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What is done with a key, so that nothing sealed for one purpose opens for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Pending steps of people.
    Steps,
}

/// The length of a nonce in bytes.
pub(super) const NONCE: usize = NONCE_LEN;

/// Different uses of one secret get different keys; the numbers leave room for a second way.
const SALT: &[u8] = b"uitsmijter sealed for its way through browsers";
const STEPS: &[&[u8]] = &[b"steps aes-256-gcm-siv 1"];
const DIGESTS: &[&[u8]] = &[b"digests hmac-sha256 1"];

/// A secret and its keys. It has no Debug on purpose.
pub(super) struct Root {
    pub(super) name: String,
    /// Whether it may seal; otherwise it only opens.
    pub(super) is_strong: bool,
    steps: LessSafeKey,
    digests: hmac::Key,
}

impl Root {
    /// Derives the keys of `secret`.
    pub(super) fn derive(name: &str, secret: &[u8], is_strong: bool) -> Result<Self> {
        let failed = |_| anyhow!("a key for sealing could not be derived");
        let prk: Prk = Salt::new(HKDF_SHA256, SALT).extract(secret);
        let steps = LessSafeKey::new(UnboundKey::from(prk.expand(STEPS, &AES_256_GCM_SIV).map_err(failed)?));
        let digests = hmac::Key::from(prk.expand(DIGESTS, hmac::HMAC_SHA256).map_err(failed)?);
        Ok(Self { name: name.to_owned(), is_strong, steps, digests })
    }

    pub(super) fn seal(&self, purpose: Purpose, plain: &[u8], context: &[u8], nonce: [u8; NONCE]) -> Result<String> {
        let mut data = Vec::with_capacity(NONCE + plain.len() + 16);
        data.extend_from_slice(&nonce);
        data.extend_from_slice(plain);
        let tag = self
            .key(purpose)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut data[NONCE..])
            .map_err(|_| anyhow!("nothing could be sealed"))?;
        data.extend_from_slice(tag.as_ref());
        Ok(format!("{}.{}", self.name, URL_SAFE_NO_PAD.encode(data)))
    }

    pub(super) fn open(&self, purpose: Purpose, mut data: Vec<u8>, context: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = data.split_at_mut_checked(NONCE)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.key(purpose).open_in_place(nonce, Aad::from(context), sealed).ok().map(|plain| plain.to_vec())
    }

    pub(super) fn digest(&self, purpose: &[u8], data: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.digests);
        // A purpose has no zero byte, so that no two pairs give the same bytes.
        [purpose, &[0], data].iter().for_each(|part| context.update(part));
        let tag = context.sign();
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    fn key(&self, purpose: Purpose) -> &LessSafeKey {
        match purpose {
            Purpose::Steps => &self.steps,
        }
    }
}
