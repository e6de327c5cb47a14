//! Signing, verification and the JWKS; the first key; and signing while the store is away.

use std::collections::HashSet;
use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation, decode};
use serde_json::{Value, json};
use uitsmijter::key::TokenType;
use uitsmijter::key::settings::SigningSettings;
use uitsmijter::key::verify::{Expired, VerifyError};
use uitsmijter::key::{SignerManager, TenantSigning};
use uitsmijter::protocol::error::{ErrorCode, OAuthError};
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;
use uitsmijter::secret::Secret;
use uitsmijter::settings::{Flags, Settings};

use super::harness::*;

const ASYMMETRIC: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

#[tokio::test]
async fn a_stranger_verifies_every_algorithm_with_nothing_but_the_jwks() {
    let world = World::new();
    for algorithm in ASYMMETRIC {
        let signer = world.replica(settings(algorithm)).await.tenant(&tenant(algorithm.as_str())).await.unwrap();
        let token = world.sign(&signer);
        let body: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&signer.jwk_set().body).unwrap();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        let key = body.find(header.kid.as_deref().unwrap()).expect("the JWKS has the key");
        let mut validation = Validation::new(algorithm.as_str().parse().unwrap());
        validation.validate_exp = false;
        let found = decode::<Value>(&token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap();
        assert_eq!(found.claims["sub"], "inga", "{algorithm}");
        assert_eq!(found.header.typ.as_deref(), Some("at+jwt"));
    }
}

#[tokio::test]
async fn the_first_key_signs_at_once_and_is_named_by_date_and_thumbprint() {
    let world = World::new();
    let signer = world.replica(settings(Algorithm::RS256)).await.tenant(&tenant("shop")).await.unwrap();
    let keys = jwks(&signer).keys;
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].kid, format!("2025-11-08-{}", &keys[0].material.thumbprint()[..8]));
    assert_eq!(header(&world.sign(&signer)), json!({"typ": "at+jwt", "alg": "RS256", "kid": keys[0].kid}));
    assert_eq!(verify(&signer, &world.sign(&signer)).await.unwrap(), world.claims());
}

#[tokio::test]
async fn other_types_of_token_say_so_and_are_not_taken_for_one_another() {
    let world = World::new();
    let signer = world.replica(settings(Algorithm::EdDSA)).await.tenant(&tenant("shop")).await.unwrap();
    let claims = world.claims();
    for (token_type, typ) in [(TokenType::Access, "at+jwt"), (TokenType::Id, "JWT"), (TokenType::Logout, "logout+jwt")]
    {
        let token = signer.sign(token_type, &claims, claims.exp).unwrap();
        assert_eq!(header(&token)["typ"], typ);
        for other in TokenType::ALL {
            let found = signer.verify::<Claims>(&token, other, Expired::Refuse).await;
            match other == token_type {
                true => assert_eq!(found.as_ref(), Ok(&claims)),
                false => assert_eq!(found, Err(VerifyError::WrongType)),
            }
        }
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_to_the_second_unless_it_may_be_expired() {
    let world = World::new();
    let signer = world.replica(settings(Algorithm::RS256)).await.tenant(&tenant("shop")).await.unwrap();
    let token = world.sign(&signer);
    world.clock.advance(2 * HOUR - Duration::from_secs(1));
    assert!(verify(&signer, &token).await.is_ok());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&signer, &token).await, Err(VerifyError::Expired));
    assert!(signer.verify::<Claims>(&token, TokenType::Access, Expired::Allow).await.is_ok());
}

#[tokio::test]
async fn the_key_chooses_the_algorithm_and_none_is_refused() {
    use base64::Engine;
    let encode = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let world = World::new();
    let manager = world.replica(with_secret(Algorithm::RS256)).await;
    let signer = manager.tenant(&tenant("shop")).await.unwrap();
    let token = world.sign(&signer);
    let (_, rest) = token.split_once('.').unwrap();
    let kid = &kids(&signer)[0];
    let cases = [
        (json!({"typ": "at+jwt", "alg": "none"}), VerifyError::Malformed),
        (json!({"typ": "at+jwt", "alg": "none", "kid": kid}), VerifyError::Malformed),
        (json!({"typ": "at+jwt", "alg": "HS256", "kid": kid}), VerifyError::WrongAlgorithm),
        (json!({"typ": "at+jwt", "alg": "PS256", "kid": kid}), VerifyError::WrongAlgorithm),
        (json!({"typ": "at+jwt", "alg": "RS256"}), VerifyError::WrongAlgorithm),
        (json!({"typ": "at+jwt", "alg": "HS256"}), VerifyError::WrongSignature),
        (json!({"typ": "at+jwt", "alg": "RS256", "kid": "other"}), VerifyError::UnknownKey("other".into())),
        (json!({"typ": "at+jwt", "alg": "RS256", "kid": kid, "crit": ["b64"]}), VerifyError::Malformed),
        (json!({"typ": "at+JWT", "alg": "RS256", "kid": kid}), VerifyError::WrongSignature),
    ];
    for (header, expected) in cases {
        let forged = format!("{}.{rest}", encode(&header));
        assert_eq!(verify(&signer, &forged).await, Err(expected), "{header}");
    }
    for garbage in ["", ".", "..", "a.b.c", "💥.💥.💥", &token[..token.len() / 2]] {
        assert!(verify(&signer, garbage).await.is_err(), "{garbage}");
    }
}

#[tokio::test]
async fn a_token_of_one_tenant_does_not_verify_at_another() {
    let world = World::new();
    let manager = world.replica(settings(Algorithm::ES256)).await;
    let (shop, bank) = (manager.tenant(&tenant("shop")).await.unwrap(), manager.tenant(&tenant("bank")).await.unwrap());
    assert!(matches!(verify(&bank, &world.sign(&shop)).await, Err(VerifyError::UnknownKey(_))));
    assert!(kids(&shop).iter().all(|kid| !kids(&bank).contains(kid)));
}

#[tokio::test]
async fn one_set_serves_all_tenants_under_the_shared_scope() {
    let world = World::new();
    let manager = world.replica(SigningSettings { shared: true, ..settings(Algorithm::RS256) }).await;
    let (shop, bank) = (manager.tenant(&tenant("shop")).await.unwrap(), manager.tenant(&tenant("bank")).await.unwrap());
    assert_eq!(kids(&shop), kids(&bank));
    assert!(verify(&bank, &world.sign(&shop)).await.is_ok());
}

#[tokio::test]
async fn keys_survive_a_restart() {
    let world = World::new();
    let before = world.replica(settings(Algorithm::ES256)).await.tenant(&tenant("shop")).await.unwrap();
    let token = world.sign(&before);
    let after = world.replica(settings(Algorithm::ES256)).await.tenant(&tenant("shop")).await.unwrap();
    assert_eq!(before.jwk_set().body, after.jwk_set().body);
    assert_eq!(before.jwk_set().etag, after.jwk_set().etag);
    assert!(verify(&after, &token).await.is_ok());
    assert!(verify(&before, &world.sign(&after)).await.is_ok());
}

#[tokio::test]
async fn a_hundred_first_uses_on_ten_replicas_make_one_key() {
    let world = World::new();
    let mut uses = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let manager = world.replica(settings(Algorithm::RS256)).await;
        for _ in 0..10 {
            let manager = manager.clone();
            uses.spawn(async move { kids(&manager.tenant(&tenant("shop")).await.unwrap()) });
        }
    }
    let sets: HashSet<Vec<String>> = uses.join_all().await.into_iter().collect();
    assert_eq!(sets.len(), 1, "{sets:?}");
    assert_eq!(sets.iter().next().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_asked_of_the_store_before_the_first_use_nor_by_a_signature() {
    let world = World::new();
    let manager = world.replica(settings(Algorithm::ES256)).await;
    let opened = world.memory.calls();
    let signer = manager.tenant(&tenant("shop")).await.unwrap();
    let used = world.memory.calls();
    assert!(used > opened && used - opened <= 9, "{opened} {used}");
    for _ in 0..1000 {
        let signer = manager.tenant(&tenant("shop")).await.unwrap();
        verify(&signer, &world.sign(&signer)).await.unwrap();
        signer.jwk_set();
    }
    assert_eq!(world.memory.calls(), used);
    assert_eq!(kids(&signer).len(), 2);
}

#[tokio::test]
async fn an_unknown_kid_asks_the_store_once_per_second() {
    let world = World::new();
    let manager = world.replica(settings(Algorithm::ES256)).await;
    let signer = manager.tenant(&tenant("shop")).await.unwrap();
    let stranger = manager.tenant(&tenant("bank")).await.unwrap();
    let calls = world.memory.calls();
    for _ in 0..50 {
        assert!(verify(&signer, &world.sign(&stranger)).await.is_err());
    }
    assert_eq!(world.memory.calls(), calls + 1);
    world.clock.advance(Duration::from_secs(1));
    assert!(verify(&signer, &world.sign(&stranger)).await.is_err());
    assert_eq!(world.memory.calls(), calls + 2);
}

#[tokio::test]
async fn with_the_store_away_tenants_in_use_go_on_and_a_first_use_says_unavailable() {
    let world = World::new();
    let manager = world.replica(settings(Algorithm::ES256)).await;
    let signer = manager.tenant(&tenant("shop")).await.unwrap();
    world.memory.set_away(true);
    assert!(verify(&signer, &world.sign(&signer)).await.is_ok());
    assert_eq!(kids(&signer).len(), 2);
    let error = OAuthError::from(manager.tenant(&tenant("bank")).await.err().unwrap());
    assert_eq!(error.code, ErrorCode::TemporarilyUnavailable);
    world.memory.set_away(false);
    assert!(manager.tenant(&tenant("bank")).await.is_ok());
}

#[tokio::test]
async fn a_tenant_on_hs256_shares_its_secret_and_has_rs256_keys_ready() {
    let world = World::new();
    let manager = world.replica(with_secret(Algorithm::HS256)).await;
    let hs256 = manager.tenant(&tenant("shop")).await.unwrap();
    assert_eq!((hs256.algorithm(), hs256.id_token_algorithm()), (Algorithm::HS256, Algorithm::RS256));
    assert_eq!(hs256.supported_algorithms(), [Algorithm::RS256, Algorithm::HS256]);
    hs256.cover(world.claims().exp).await;
    let shared = world.sign(&hs256);
    assert_eq!(header(&shared), json!({"typ": "at+jwt", "alg": "HS256"}), "no kid");
    let id_token = hs256.sign(TokenType::Id, &world.claims(), world.claims().exp).unwrap();
    assert_eq!(header(&id_token)["alg"], "RS256");
    assert_eq!(kids(&hs256).len(), 1);

    // The way out is one setting, and the way back too: both kinds of token go on being accepted.
    let wanted = TenantSigning { algorithm: Some(Algorithm::RS256), ..tenant("shop") };
    let rs256 = manager.tenant(&wanted).await.unwrap();
    let signed = world.sign(&rs256);
    assert_eq!(header(&signed)["kid"], json!(kids(&rs256)[0]));
    for signer in [&hs256, &rs256] {
        assert!(verify(signer, &shared).await.is_ok());
        assert!(verify(signer, &signed).await.is_ok());
    }

    let without = world.replica(settings(Algorithm::RS256)).await.tenant(&tenant("shop")).await.unwrap();
    assert_eq!(verify(&without, &shared).await, Err(VerifyError::NoKey));
}

#[tokio::test]
async fn unreasonable_settings_are_refused_with_a_sentence() {
    let world = World::new();
    let refused = async |settings: SigningSettings| {
        let opened =
            SignerManager::open(world.store(), settings, world.clock.clone(), std::sync::Arc::new(SystemRandom));
        opened.await.err().expect("refused").to_string()
    };
    let mut short = with_secret(Algorithm::RS256);
    short.hs256_secret = Some(Secret::new("x".repeat(31)));
    assert!(refused(short).await.contains("31 bytes"));
    assert!(refused(settings(Algorithm::HS256)).await.contains("JWT_SECRET"));
    let mut hasty = settings(Algorithm::RS256);
    hasty.policy.announce = Duration::from_secs(600);
    assert!(refused(hasty).await.contains("announce: 10m is shorter than jwks_max_age: 1h"));
    assert!(refused(SigningSettings { rsa_bits: 1024, ..settings(Algorithm::RS256) }).await.contains("rsa_bits: 1024"));
}

/// The settings of a server whose file has `signing` in it.
fn written(signing: &str) -> anyhow::Result<SigningSettings> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), format!("signing: {{{signing}}}"))?;
    Ok(Settings::load(Some(file.path()), &|_| None, &Flags::default())?.signing)
}

#[test]
fn settings_are_read_as_operators_write_them() {
    let text = "algorithm: es256, rotate_every: 30d, announce: 12h, grace: 2d, jwks_max_age: 10m, scope: shared";
    let settings = written(text).unwrap();
    assert_eq!((settings.algorithm, settings.shared, settings.rsa_bits), (Algorithm::ES256, true, 2048));
    assert_eq!((settings.policy.rotate_every, settings.policy.announce), (30 * DAY, 12 * HOUR));
    let settings = written("hs256_secret: something that resource servers know").unwrap();
    assert_eq!(settings.algorithm, Algorithm::HS256);
    assert!(!format!("{settings:?}").contains("resource servers"));
    let error = format!("{:#}", written("rotate_evry: 30d").unwrap_err());
    assert!(error.contains("rotate_evry"), "{error}");
}

#[tokio::test]
async fn a_token_that_would_outlive_its_key_is_not_signed() {
    let world = World::new();
    let signer = world.replica(settings(Algorithm::EdDSA)).await.tenant(&tenant("shop")).await.unwrap();
    let claims = Claims { exp: world.now() + 8 * DAY, ..world.claims() };
    let error = signer.sign(TokenType::Access, &claims, claims.exp).unwrap_err().to_string();
    assert!(error.contains("shop") && error.contains("signing.grace"), "{error}");
}
