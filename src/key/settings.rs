//! How tokens are signed: the settings of the server, and what each tenant asks for.

use anyhow::{Result, ensure};

use crate::key::policy::{PolicyOverrides, RotationPolicy};
use crate::protocol::jwk::Algorithm;
use crate::registry::tenant::Tenant;
use crate::secret::Secret;

/// How tokens are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningSettings {
    /// The algorithm of access tokens, where a tenant names none.
    pub algorithm: Algorithm,
    /// The calendar of keys.
    pub policy: RotationPolicy,
    /// The secret of HS256; tokens signed with it are believed of tenants that are on HS256, or were, until they expire.
    pub hs256_secret: Option<Secret>,
    /// The secrets that seal private keys in the store: the first seals, all open.
    pub seal_secrets: Vec<Secret>,
    /// One set of keys for all tenants (`scope: shared`) in place of one per tenant.
    pub shared: bool,
    /// The size of new RSA keys: 2048, 3072 or 4096.
    pub rsa_bits: u32,
}

/// The name of the one set of all tenants under `scope: shared`; no tenant can be called so.
pub const SHARED: &str = "*";

/// How a tenant wants its tokens signed.
#[derive(Clone, Copy, Debug)]
pub struct TenantSigning<'a> {
    /// Its full name.
    pub name: &'a str,
    /// The algorithm of its access tokens; `None` for the server's.
    pub algorithm: Option<Algorithm>,
    /// Its own calendar.
    pub overrides: Option<&'a PolicyOverrides>,
}

impl<'a> TenantSigning<'a> {
    /// What `tenant` declares.
    pub fn of(tenant: &'a Tenant) -> Self {
        Self { name: &tenant.name, algorithm: tenant.algorithm, overrides: Some(&tenant.signing) }
    }
}

/// As much chance as the keys have that are derived from it.
pub const SEAL_SECRET_BYTES: usize = 32;

/// RFC 7518 §3.2: a key of at least the size of the hash output.
const HS256_SECRET_BYTES: usize = 32;

impl Default for SigningSettings {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::RS256,
            policy: RotationPolicy::default(),
            hs256_secret: None,
            seal_secrets: Vec::new(),
            shared: false,
            rsa_bits: 2048,
        }
    }
}

impl SigningSettings {
    /// Refuses what could not work, with a sentence for the operator.
    pub fn check(&self) -> Result<()> {
        self.policy.check()?;
        ensure!(
            matches!(self.rsa_bits, 2048 | 3072 | 4096),
            "rsa_bits: {} is not offered; use 2048, 3072 or 4096",
            self.rsa_bits
        );
        match &self.hs256_secret {
            Some(secret) => ensure!(
                secret.expose().len() >= HS256_SECRET_BYTES,
                "JWT_SECRET has {} bytes; HS256 needs at least {HS256_SECRET_BYTES} (RFC 7518 section 3.2)",
                secret.expose().len()
            ),
            None => ensure!(
                self.algorithm != Algorithm::HS256,
                "HS256 is asked for, but JWT_SECRET is not set; replicas with secrets of their own would refuse each \
                 other's tokens"
            ),
        }
        ensure!(
            self.seal_secrets.iter().all(|secret| !secret.expose().is_empty()),
            "SIGNING_KEY_SECRET is empty; leave it out to store keys unsealed"
        );
        Ok(())
    }

    /// The name of the set that `tenant` signs with.
    pub fn set_name<'a>(&self, tenant: &'a str) -> &'a str {
        if self.shared { SHARED } else { tenant }
    }

    /// The size in bytes of the secret that seals, if somebody who has the store could guess it.
    pub fn weak_seal(&self) -> Option<usize> {
        self.seal_secrets.first().map(|secret| secret.expose().len()).filter(|length| *length < SEAL_SECRET_BYTES)
    }

    /// The secrets that seal and open keys. The one of HS256 is the last of them: it seals where there is no other, and
    /// opens what it sealed before there was another. Without any, keys are stored unsealed.
    pub fn sealing(&self) -> Vec<Secret> {
        self.seal_secrets.iter().chain(&self.hs256_secret).cloned().collect()
    }
}
