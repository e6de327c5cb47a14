//! Moving in from the older layout of Uitsmijter's keys in Redis, one set for the whole server:
//! `uitsmijter:jwks:active` (a kid), `uitsmijter:jwks:index` (a sorted set, scored by unix seconds) and
//! `uitsmijter:jwks:keys:<kid>:{private,public,metadata}` (PKCS#8 PEM, SPKI PEM, JSON).
//!
//! Adopted keys keep their names, which are plain dates. The active one signs on until it is due; the others go on
//! verifying for as long as the policy keeps a retired key.

use anyhow::{Context, Result, bail, ensure};
use async_trait::async_trait;
use rsa::RsaPublicKey;
use rsa::pkcs8::{DecodePublicKey, SecretDocument};
use rsa::traits::PublicKeyParts;
use serde::Deserialize;
use zeroize::Zeroizing;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::key::custody::generate::{NewKey, named};
use crate::key::custody::private_key::PrivateKey;
use crate::key::key_store::KeyStore;
use crate::key::older::withdrawn;
use crate::key::record::KeySet;
use crate::protocol::jwk::{Algorithm, KeyMaterial};

/// Where the older layout is read from. It stays as it is until somebody asks for its removal.
#[async_trait]
pub trait OlderKeys: Send + Sync {
    /// What is there; `None` if there is no older layout.
    async fn read(&self) -> Result<Option<OlderLayout>>;
    /// Removes it for good.
    async fn remove(&self) -> Result<()>;
}

/// The raw values of the older layout.
#[derive(Clone, Default)]
pub struct OlderLayout {
    /// The value of `uitsmijter:jwks:active`.
    pub active: Option<String>,
    /// One entry for each member of `uitsmijter:jwks:index`.
    pub keys: Vec<OlderKey>,
}

/// The raw values of one key.
#[derive(Clone)]
pub struct OlderKey {
    /// The member of the index.
    pub kid: String,
    /// Its score, in unix seconds.
    pub indexed_at: Option<f64>,
    /// PKCS#8 as PEM.
    pub private_pem: Zeroizing<String>,
    /// SPKI as PEM.
    pub public_pem: String,
    /// JSON with `createdAt` and `isActive`, if it is there.
    pub metadata: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    created_at: Option<Written>,
    is_active: bool,
}

/// A date as text, or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Number(f64),
}

/// Numbers below this are seconds since 2001, as Swift writes dates; as unix seconds they would be before 2001.
const SMALLEST_UNIX: f64 = 1e9;
const UNIX_OF_2001: f64 = 978_307_200.0;

/// The set that `tenant` goes on with, if there is an older layout; the errors name the tenant. What an operator has
/// withdrawn meanwhile is adopted as withdrawn, and a new key signs in its place.
pub async fn adopt(older: &dyn OlderKeys, tenant: &str, keys: &KeyStore, grace: u64) -> Result<Option<KeySet>> {
    let Some(layout) = older.read().await? else { return Ok(None) };
    let whose = || format!("the signing keys of the older layout cannot be adopted for tenant {tenant}");
    let (mut set, now) = (layout.adopt(tenant, keys, grace).with_context(whose)?, keys.clock.now());
    for kid in withdrawn::all(&keys.store).await? {
        set.revoke(&kid, now);
    }
    if set.signing(Algorithm::RS256, now).is_none() {
        set.keys.push(keys.make_first(tenant, Algorithm::RS256, grace).await?);
    }
    Ok(Some(set))
}

impl OlderLayout {
    /// Whether it has a key of this name.
    pub fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid == kid)
    }

    /// The set that `tenant` goes on with. Refuses halves that do not belong together with an error that names the kid.
    fn adopt(&self, tenant: &str, keys: &KeyStore, grace: u64) -> Result<KeySet> {
        let now = keys.clock.now();
        let mut set = KeySet { tenant: tenant.into(), access: Some(Algorithm::RS256), ..KeySet::default() };
        let active = self.active_kid()?;
        for older in &self.keys {
            let created_at = older.created_at()?.min(now);
            let mut key = keys.seal(tenant, older.open()?, created_at, grace)?;
            (key.signs_from, key.at_once) = (Some(created_at), true);
            if key.kid() != active {
                // Nobody knows until when it signed, so its time of grace begins now.
                key.retired_at = Some(now);
            }
            set.keys.push(key);
        }
        ensure!(set.key(&active).is_some(), "the active key {active} of the older layout is not among its keys");
        Ok(set)
    }

    /// The kid that signs: the pointer, or the newest key that calls itself active, or the newest.
    fn active_kid(&self) -> Result<String> {
        if let Some(kid) = &self.active {
            return Ok(kid.clone());
        }
        let mut keys = Vec::new();
        for key in &self.keys {
            keys.push((key.metadata()?.is_active, key.created_at()?, &key.kid));
        }
        Ok(keys.into_iter().max().context("the older layout has no keys")?.2.clone())
    }
}

impl OlderKey {
    fn metadata(&self) -> Result<Metadata> {
        let Some(text) = &self.metadata else { return Ok(Metadata::default()) };
        serde_json::from_str(text).with_context(|| format!("the metadata of the older key {}", self.kid))
    }

    fn created_at(&self) -> Result<Timestamp> {
        let number = match (self.metadata()?.created_at, self.indexed_at) {
            (Some(Written::Text(text)), _) => {
                let parsed = text.parse::<jiff::Timestamp>();
                return Ok(Timestamp(
                    parsed.with_context(|| format!("the date of the older key {}", self.kid))?.as_second(),
                ));
            }
            (Some(Written::Number(number)), _) | (None, Some(number)) => number,
            (None, None) => bail!("the older key {} has no date", self.kid),
        };
        let unix = if number < SMALLEST_UNIX { number + UNIX_OF_2001 } else { number };
        ensure!(
            unix.is_finite() && (0.0..1e12).contains(&unix),
            "the date of the older key {} is out of range",
            self.kid
        );
        // In range, so nothing but the fraction is lost.
        Ok(Timestamp(
            jiff::Timestamp::UNIX_EPOCH.as_second() + std::time::Duration::from_secs_f64(unix).as_secs().cast_signed(),
        ))
    }

    fn open(&self) -> Result<NewKey> {
        let whose = |half: &str| format!("the {half} half of the older key {}", self.kid);
        let (label, private) = SecretDocument::from_pem(&self.private_pem).with_context(|| whose("private"))?;
        ensure!(label == "PRIVATE KEY", "{} is not PKCS#8", whose("private"));
        let pkcs8 = Zeroizing::new(private.as_bytes().to_vec());
        let private = PrivateKey::from_pkcs8(Algorithm::RS256, &pkcs8).with_context(|| whose("private"))?;
        let public = RsaPublicKey::from_public_key_pem(&self.public_pem).with_context(|| whose("public"))?;
        let encode = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let material = KeyMaterial::Rsa { n: encode(public.n()), e: encode(public.e()) };
        ensure!(private.public() == material, "the halves of the older key {} do not belong together", self.kid);
        Ok(NewKey { public: named(self.kid.clone(), Algorithm::RS256, material), pkcs8 })
    }
}
