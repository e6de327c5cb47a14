//! The digests that scripts may ask for, in lower-case hexadecimal.

use aws_lc_rs::{digest, hmac};
use md5::{Digest, Md5};

use super::MAX_COMPUTATION;
use crate::login::password;

/// Highest bcrypt cost that is computed: some seconds on one core.
const MAX_BCRYPT_COST: u32 = 16;

/// MD5 of `text`, for user stores that still use it.
pub(super) fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// SHA-256 of `text`.
pub(super) fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// SHA-512 of `text`.
pub(super) fn sha512(text: &str) -> String {
    hex(digest::digest(&digest::SHA512, text.as_bytes()).as_ref())
}

/// HMAC (RFC 2104) of `message`; `algorithm` is `sha1`, `sha256`, `sha384` or `sha512`, in any case, with or without dash.
pub(super) fn hmac(algorithm: &str, key: &str, message: &str) -> Result<String, String> {
    let algorithm = match algorithm.to_ascii_lowercase().replace('-', "").as_str() {
        "sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => hmac::HMAC_SHA256,
        "sha384" => hmac::HMAC_SHA384,
        "sha512" => hmac::HMAC_SHA512,
        _ => return Err("hmac(algorithm, key, message) knows sha1, sha256, sha384 and sha512".to_owned()),
    };
    Ok(hex(hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), message.as_bytes()).as_ref()))
}

/// Whether `password` belongs to the bcrypt hash `hash` (`$2a$`, `$2b$`, `$2x$`, `$2y$`).
pub(super) fn bcrypt_verify(password: &str, hash: &str) -> Result<bool, String> {
    let parts: bcrypt::HashParts = hash.parse().map_err(|_| "bcryptVerify(password, hash): not a bcrypt hash")?;
    if parts.get_cost() > MAX_BCRYPT_COST {
        return Err(format!("bcryptVerify: cost {} is too much for a login", parts.get_cost()));
    }
    bcrypt::verify(password, hash).map_err(|error| format!("bcryptVerify: {error}"))
}

/// How many bytes of memory [`argon2_verify`] takes for `hash`.
pub(super) fn argon2_bytes(hash: &str) -> Result<u64, String> {
    let bytes = password::cost(hash).map_or(0, |(kibibytes, ..)| u64::from(kibibytes) * 1024);
    if bytes > MAX_COMPUTATION {
        let most = MAX_COMPUTATION >> 20;
        return Err(format!("argon2Verify: {} MiB is too much for a login script; {most} are allowed", bytes >> 20));
    }
    Ok(bytes)
}

/// Whether `password` belongs to the argon2 hash `hash`, in PHC form.
pub(super) fn argon2_verify(password: &str, hash: &str) -> Result<bool, String> {
    password::verify(hash, password).map_err(|error| format!("argon2Verify(password, hash): {error}"))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
