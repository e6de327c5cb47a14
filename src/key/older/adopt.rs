//! Adopting the older layout: its raw values become a set of keys that its tenant goes on with.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::RsaPublicKey;
use rsa::pkcs8::{DecodePublicKey, SecretDocument};
use rsa::traits::PublicKeyParts;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::key::custody::generate::{NewKey, named};
use crate::key::custody::private_key::PrivateKey;
use crate::key::key_store::KeyStore;
use crate::key::older::layout::{OlderKey, OlderLayout};
use crate::key::older::withdrawn;
use crate::key::record::KeySet;
use crate::protocol::jwk::{Algorithm, KeyMaterial};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    created_at: Option<Date>,
    is_active: bool,
}

/// A date as text, or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Date {
    Text(String),
    Number(f64),
}

/// Numbers below this are seconds since 2001, as Swift writes dates; as unix seconds they would be before 2001.
const SMALLEST_UNIX: f64 = 1e9;
const UNIX_OF_2001: f64 = 978_307_200.0;

/// The set that `tenant` goes on with, if there is an older layout; the errors name the tenant. Keys that an operator has
/// withdrawn meanwhile are adopted as withdrawn, and a new key signs in their place.
pub async fn adopt(keys: &KeyStore, tenant: &str, grace: u64) -> Result<Option<KeySet>> {
    let Some(layout) = OlderLayout::read(&keys.store).await? else { return Ok(None) };
    let whose = || format!("the signing keys of the older layout cannot be adopted for tenant {tenant}");
    let (mut set, now) = (layout.adopt(keys, tenant, grace).with_context(whose)?, keys.clock.now());
    for kid in withdrawn::all(&keys.store).await? {
        set.revoke(&kid, now);
    }
    if set.signing(Algorithm::RS256, now).is_none() {
        set.keys.push(keys.make_first(tenant, Algorithm::RS256, grace).await?);
    }
    Ok(Some(set))
}

impl OlderLayout {
    /// The set that `tenant` goes on with. Refuses halves that do not belong together with an error that names the kid.
    fn adopt(&self, keys: &KeyStore, tenant: &str, grace: u64) -> Result<KeySet> {
        let now = keys.clock.now();
        let mut set = KeySet { tenant: tenant.into(), access: Some(Algorithm::RS256), ..KeySet::default() };
        let active = self.active_kid()?;
        for older in &self.keys {
            let created_at = older.created_at()?.min(now);
            let mut key = keys.custody.take_in(tenant, older.open()?, created_at, grace)?;
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
        let whose = || format!("the date of the older key {}", self.kid);
        let number = match self.metadata()?.created_at {
            Some(Date::Text(text)) => {
                return Ok(Timestamp(text.parse::<jiff::Timestamp>().with_context(whose)?.as_second()));
            }
            Some(Date::Number(number)) => number,
            None => self.indexed_at,
        };
        let unix = if number < SMALLEST_UNIX { number + UNIX_OF_2001 } else { number };
        ensure!(unix.is_finite() && (0.0..1e12).contains(&unix), "{} is out of range", whose());
        // In range, so nothing but the fraction is lost.
        Ok(Timestamp(Duration::from_secs_f64(unix).as_secs().cast_signed()))
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
