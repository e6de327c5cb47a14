//! From one algorithm to another, and one set of keys for tenants that want different things.

use std::sync::Arc;
use std::time::Duration;

use uitsmijter::key::commands::{KeyCommands, Start};
use uitsmijter::key::policy::PolicyOverrides;
use uitsmijter::key::settings::SigningSettings;
use uitsmijter::key::{SignerManager, TenantSigning};
use uitsmijter::key::{TenantSigner, TokenType};
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;

use super::harness::*;

const ALL: [Algorithm; 5] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256];

async fn on(replica: &SignerManager, name: &str, algorithm: Algorithm) -> Arc<TenantSigner> {
    replica.tenant(&TenantSigning { algorithm: Some(algorithm), ..tenant(name) }).await.unwrap()
}

async fn pass(world: &World, replica: &SignerManager, span: Duration) {
    world.clock.advance(span);
    for _ in 0..3 {
        replica.follow_news().await.unwrap();
        replica.tick().await.unwrap();
    }
}

#[tokio::test]
async fn every_way_between_two_algorithms_signs_with_one_of_the_two_and_no_third() {
    for before in ALL {
        for after in ALL.into_iter().filter(|after| *after != before) {
            let way = format!("{before} to {after}");
            let world = World::new();
            let replica = world.replica(with_secret(Algorithm::RS256)).await;
            // The algorithm that the tenant was on earlier, and still has keys for.
            let earlier = ALL.into_iter().find(|earlier| ![before, after, Algorithm::RS256].contains(earlier));
            on(&replica, "shop", earlier.unwrap()).await;
            pass(&world, &replica, DAY).await;
            on(&replica, "shop", before).await;
            pass(&world, &replica, Duration::from_secs(1)).await;
            pass(&world, &replica, DAY + HOUR).await;
            let signer = on(&replica, "shop", before).await;
            assert_eq!(header(&world.sign(&signer))["alg"], before.as_str(), "{way}");
            // A replica that starts with the new setting knows no more than what is stored.
            let replica = world.replica(with_secret(Algorithm::RS256)).await;
            let signer = on(&replica, "shop", after).await;
            let is_ready = matches!(after, Algorithm::RS256 | Algorithm::HS256) || earlier == Some(after);
            let first = if is_ready { after } else { before };
            for hours in 0..26 {
                let token = world.sign(&signer);
                let algorithm = header(&token)["alg"].clone();
                assert!(verify(&signer, &token).await.is_ok(), "{way}");
                match hours {
                    0 => assert_eq!(algorithm, first.as_str(), "{way}"),
                    25 => assert_eq!(algorithm, after.as_str(), "{way}"),
                    _ => assert!(algorithm == before.as_str() || algorithm == after.as_str(), "{way}: {algorithm}"),
                }
                pass(&world, &replica, HOUR).await;
            }
        }
    }
}

#[tokio::test]
async fn tenants_that_share_a_set_get_the_longest_of_their_calendars_in_any_order() {
    let world = World::new();
    let (short, long) = (
        PolicyOverrides { grace: Some(DAY), ..Default::default() },
        PolicyOverrides { grace: Some(30 * DAY), ..Default::default() },
    );
    let shop = TenantSigning { overrides: Some(&long), ..tenant("shop") };
    let bank = TenantSigning { overrides: Some(&short), ..tenant("bank") };
    for order in [[&bank, &shop], [&shop, &bank]] {
        let replica = world.replica(SigningSettings { shared: true, ..settings(Algorithm::RS256) }).await;
        for tenant in order {
            replica.tenant(tenant).await.unwrap();
        }
        let signer = replica.tenant(&shop).await.unwrap();
        let claims = Claims { exp: world.now() + 20 * DAY, ..world.claims() };
        signer.sign(TokenType::Access, &claims, claims.exp).expect("a token of 20 days");
        pass(&world, &replica, 89 * DAY).await;
        pass(&world, &replica, DAY + HOUR).await;
        let claims = Claims { exp: world.now() + 20 * DAY, ..world.claims() };
        signer.sign(TokenType::Access, &claims, claims.exp).expect("also with the next key");
    }
}

#[tokio::test]
async fn a_rotation_of_a_shared_set_covers_the_algorithms_of_all_tenants() {
    let world = World::new();
    let settings = SigningSettings { shared: true, ..settings(Algorithm::RS256) };
    let replica = world.replica(settings.clone()).await;
    let shop = TenantSigning { algorithm: Some(Algorithm::ES256), ..tenant("shop") };
    for tenant in [&shop, &tenant("bank")] {
        replica.tenant(tenant).await.unwrap();
    }
    let commands = KeyCommands::new(world.store(), settings, world.clock.clone(), Arc::new(SystemRandom)).unwrap();
    let commands = commands.knowing([tenant("bank"), shop].into_iter()).unwrap();
    let rotated = commands.rotate(&tenant("bank"), Start::Now).await.unwrap();
    let algorithms: Vec<Algorithm> = rotated.iter().map(|key| key.algorithm).collect();
    assert_eq!(algorithms, [Algorithm::RS256, Algorithm::ES256]);
}
