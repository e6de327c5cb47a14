//! From HS256 to RS256 and back, one replica after the other, under load.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::counts::{chance, rounds};
use crate::redis::RedisServer;
use crate::replica::{INTEROP, Replica};
use crate::sign_in::Person;
use crate::verifier::{Verifier, kid_of};
use crate::world::World;

const REPLICAS: usize = 3;

#[tokio::test]
async fn a_running_installation_moves_from_hs256_to_rs256_and_back_without_a_refused_token() {
    let rounds = rounds(1, 10);
    let (mut believed, mut verified) = (0, 0);
    for _ in 0..rounds {
        let redis = RedisServer::start().await;
        let mut world = World::on(&redis).with("JWT_SECRET", "the secret that all resource servers share 1234");
        world.set("JWT_ALGORITHM", "HS256");
        let mut replicas = world.start_together(REPLICAS).await;
        // For the whole test it caches what was published before the first change.
        let verifier = Verifier::knowing(replicas[0].jwks(INTEROP).await);
        let person = Person::new().sign_in(&replicas[0]).await;
        let mut tokens = vec![person["access_token"].as_str().expect("a token").to_owned()];
        assert_eq!(verifier.complaint(person["id_token"].as_str().expect("a token")), None, "OIDC wants RS256");

        for algorithm in ["RS256", "HS256", "RS256"] {
            for at in 0..REPLICAS {
                world.set("JWT_ALGORITHM", algorithm);
                let fresh = world.start().await;
                std::mem::replace(&mut replicas[at], fresh).stop().await;
                let until = Instant::now() + Duration::from_millis(300);
                while Instant::now() < until {
                    let signer = chance(REPLICAS as u64) as usize;
                    let token = replicas[signer].token(INTEROP).await;
                    let expected = if signer <= at { algorithm == "RS256" } else { algorithm == "HS256" };
                    assert_eq!(kid_of(&token).is_some(), expected, "a kid belongs to asymmetric tokens alone");
                    if expected {
                        assert_eq!(verifier.complaint(&token), None);
                        verified += 1;
                    }
                    tokens.push(token);
                    let token = &tokens[chance(tokens.len() as u64) as usize];
                    for replica in &replicas {
                        assert!(replica.believes(INTEROP, token).await);
                        believed += 1;
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            }
            for token in &tokens {
                assert!(replicas[chance(REPLICAS as u64) as usize].believes(INTEROP, token).await);
                believed += 1;
            }
            user_info(&replicas, &tokens[0]).await;
        }
    }
    println!(
        "{rounds} times HS256 -> RS256 -> HS256 -> RS256, {REPLICAS} replicas one by one: {believed} times a token of \
         any moment was believed, {verified} verified with the key set of before the first change, 0 failures"
    );
}

async fn user_info(replicas: &[Replica], token: &str) {
    for replica in replicas {
        let request = reqwest::Client::builder().no_proxy().build().expect("a client").get(replica.url("/userinfo"));
        let answer = request.bearer_auth(token).send().await.expect("the replica answers");
        assert_eq!(answer.status(), 200);
    }
}
