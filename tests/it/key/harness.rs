//! Replicas of the signing machinery on one store, with a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uitsmijter::clock::{Clock, Timestamp};
use uitsmijter::key::settings::SigningSettings;
use uitsmijter::key::verify::{Expired, VerifyError};
use uitsmijter::key::{SignerManager, TenantSigning};
use uitsmijter::key::{TenantSigner, TokenType};
use uitsmijter::protocol::jwk::{Algorithm, JwkSet};
use uitsmijter::random::SystemRandom;
use uitsmijter::secret::Secret;
use uitsmijter::store::Store;

use super::memory::Memory;

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    pub(super) fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_secs()).unwrap(), Ordering::SeqCst);
    }

    pub(super) fn turn_back(&self, span: Duration) {
        self.0.fetch_sub(i64::try_from(span.as_secs()).unwrap(), Ordering::SeqCst);
    }
}

/// One store and one clock, for as many replicas as the test starts.
pub(super) struct World {
    pub(super) memory: Arc<Memory>,
    pub(super) clock: Arc<TestClock>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    pub(super) exp: Timestamp,
}

impl World {
    pub(super) fn new() -> Self {
        // 2025-11-08T12:00:00Z
        Self { memory: Memory::new(), clock: Arc::new(TestClock(AtomicI64::new(1_762_603_200))) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn store(&self) -> Store {
        Store::new(self.memory.clone(), self.clock.clone())
    }

    pub(super) async fn replica(&self, settings: SigningSettings) -> SignerManager {
        SignerManager::open(self.store(), settings, self.clock.clone(), Arc::new(SystemRandom)).await.unwrap()
    }

    pub(super) fn claims(&self) -> Claims {
        Claims { sub: "inga".into(), exp: self.now() + 2 * HOUR }
    }

    pub(super) fn sign(&self, signer: &TenantSigner) -> String {
        let claims = self.claims();
        signer.sign(TokenType::Access, &claims, claims.exp).unwrap()
    }
}

pub(super) fn settings(algorithm: Algorithm) -> SigningSettings {
    SigningSettings { algorithm, ..SigningSettings::default() }
}

pub(super) fn with_secret(algorithm: Algorithm) -> SigningSettings {
    SigningSettings { hs256_secret: Some(Secret::new("a secret of more than thirty-two bytes")), ..settings(algorithm) }
}

pub(super) fn tenant(name: &str) -> TenantSigning<'_> {
    TenantSigning { name, algorithm: None, overrides: None }
}

pub(super) async fn verify(signer: &TenantSigner, token: &str) -> Result<Claims, VerifyError> {
    signer.verify(token, TokenType::Access, Expired::Refuse).await
}

pub(super) fn jwks(signer: &TenantSigner) -> JwkSet {
    serde_json::from_slice(&signer.jwk_set().body).unwrap()
}

pub(super) fn kids(signer: &TenantSigner) -> Vec<String> {
    jwks(signer).keys.into_iter().map(|key| key.kid).collect()
}

pub(super) fn header(token: &str) -> serde_json::Value {
    use base64::Engine;
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
