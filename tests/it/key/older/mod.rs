//! Moving in from the older layout: adoption, import and withdrawal.

use std::sync::Arc;
use std::time::Duration;

use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding};
use serde_json::json;
use uitsmijter::key::KeyCommands;
use uitsmijter::key::custody::generate::generate;
use uitsmijter::key::verify::VerifyError;
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;

use super::harness::*;

mod redis;

fn leave(world: &World, key: &str, text: String) {
    world.memory.texts.lock().unwrap().insert(key.into(), text);
}

/// Leaves a key in the older layout; answers its private half as PEM.
async fn leave_key(world: &World, kid: &str, metadata: &serde_json::Value) -> String {
    let pkcs8 = generate(Algorithm::RS256, 2048, world.now()).await.unwrap().pkcs8;
    let public = rsa::RsaPrivateKey::from_pkcs8_der(&pkcs8).unwrap().to_public_key();
    let document = rsa::pkcs8::SecretDocument::try_from(&pkcs8[..]).unwrap();
    let private = document.to_pem("PRIVATE KEY", LineEnding::LF).unwrap().to_string();
    world.memory.sorted.lock().unwrap().push((kid.into(), 1_760_000_000.0));
    let public = public.to_public_key_pem(LineEnding::LF).unwrap();
    for (part, text) in [("private", private.clone()), ("public", public), ("metadata", metadata.to_string())] {
        leave(world, &format!("uitsmijter:jwks:keys:{kid}:{part}"), text);
    }
    private
}

#[tokio::test]
async fn keys_of_the_older_layout_are_adopted_and_rotated_as_usual() {
    let world = World::new();
    let metadata = json!({"kid": "2025-07-01", "createdAt": 772_934_400, "isActive": false});
    let other = leave_key(&world, "2025-07-01", &metadata).await;
    let metadata = json!({"kid": "2025-10-01", "createdAt": "2025-10-01T00:00:00Z", "isActive": true});
    let private = leave_key(&world, "2025-10-01", &metadata).await;
    leave(&world, "uitsmijter:jwks:active", "2025-10-01".into());

    leave(&world, "uitsmijter:jwks:keys:2025-10-01:private", other);
    let replica = world.replica(settings(Algorithm::RS256)).await;
    let error = format!("{:#}", replica.tenant(&tenant("shop")).await.err().unwrap());
    assert!(
        error.contains("shop") && error.contains("2025-10-01") && error.contains("do not belong together"),
        "{error}"
    );

    leave(&world, "uitsmijter:jwks:keys:2025-10-01:private", private);
    let replica = world.replica(settings(Algorithm::RS256)).await;
    let signer = replica.tenant(&tenant("shop")).await.unwrap();
    assert_eq!(kids(&signer), ["2025-10-01", "2025-07-01"]);
    let token = world.sign(&signer);
    assert_eq!(header(&token)["kid"], "2025-10-01");
    let commands =
        KeyCommands::new(world.store(), settings(Algorithm::RS256), world.clock.clone(), Arc::new(SystemRandom))
            .unwrap();
    let listed = commands.list(&tenant("shop")).await.unwrap();
    assert_eq!(listed[1].created_at.to_string(), "2025-06-30T00:00:00Z", "seconds since 2001, as Swift writes them");

    // 90 days after it was made, not after it was adopted.
    world.clock.advance(51 * DAY + Duration::from_secs(1));
    for _ in 0..3 {
        replica.follow_news().await.unwrap();
        replica.tick().await.unwrap();
    }
    assert_eq!(kids(&signer).len(), 2);
    assert!(!kids(&signer).contains(&"2025-07-01".to_owned()), "its time of grace is over");

    assert_eq!(commands.import(&tenant("shop")).await.unwrap(), None, "it has keys already");
    let imported = commands.import(&tenant("bank")).await.unwrap().unwrap();
    assert_eq!(imported, ["2025-07-01", "2025-10-01"]);

    // Withdrawn from all tenants, also from those that were not used yet.
    assert!(commands.withdraw("2025-10-01").await.unwrap());
    assert!(!commands.withdraw("2020-01-01").await.unwrap());
    let late = replica.tenant(&tenant("late")).await.unwrap();
    assert_eq!(kids(&late)[1..], ["2025-07-01"]);
    assert!(verify(&late, &world.sign(&late)).await.is_ok());
    assert!(matches!(verify(&late, &token).await, Err(VerifyError::UnknownKey(_))));
}
