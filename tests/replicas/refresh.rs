//! One refresh token, used concurrently many times at several replicas.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::counts::rounds;
use crate::redis::RedisServer;
use crate::replica::{Answer, Replica};
use crate::sign_in::Person;
use crate::world::World;

const USES: usize = 1000;
const REPLICAS: usize = 3;

#[tokio::test]
async fn a_thousand_uses_of_one_refresh_token_leave_exactly_one_living_family() {
    let rounds = rounds(3, 100);
    let redis = RedisServer::start().await;
    let world = World::on(&redis).with("JWT_ALGORITHM", "ES256");
    let replicas = world.start_together(REPLICAS).await;
    let mut busy = 0;
    for _ in 0..rounds {
        let tokens = Person::new().sign_in(&replicas[0]).await;
        let first = tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
        // The first of a family is the current one from the start; its successor is what has to win a race.
        let second = refreshed(&replicas[1], &first).await;

        let answers = join_all((0..USES).map(|number| refresh(&replicas[number % REPLICAS], &second))).await;
        let (away, answers): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 503);
        // If the machine is too busy for a thousand at once, a client tries again.
        busy += away.len();
        let again = join_all((0..away.len()).map(|number| refreshed(&replicas[number % REPLICAS], &second))).await;
        let granted = answers.iter().filter_map(|answer| answer.body["refresh_token"].as_str());
        let successors: Vec<&str> = granted.chain(again.iter().map(String::as_str)).collect();
        assert_eq!(successors.len(), USES, "nobody used a successor, so a lost answer may be asked for again");

        // All of them are siblings, and only one can advance: using them all at once gives one response with tokens,
        // and every other one is refused.
        let tries = successors.iter().enumerate();
        let tried = join_all(tries.map(|(number, token)| refresh(&replicas[number % REPLICAS], token))).await;
        let (granted, refused): (Vec<&Answer>, Vec<&Answer>) = tried.iter().partition(|answer| answer.status == 200);
        let too_busy = refused.iter().filter(|answer| answer.status == 503).count();
        assert!(granted.len() == 1 || (granted.is_empty() && too_busy > 0), "living families: {}", granted.len());
        for answer in refused.into_iter().filter(|answer| answer.status != 503) {
            assert_eq!(answer.body["error"], "invalid_grant", "a sibling lives beside the family: {answer:?}");
        }
        // A superseded sibling was a stolen copy: it revokes the family (RFC 9700 §4.14.2).
        for survivor in granted {
            let survivor = survivor.body["refresh_token"].as_str().expect("a refresh token");
            assert_eq!(refresh(&replicas[0], survivor).await.body["error"], "invalid_grant");
        }

        // The same race without a misuse afterwards: one family lives.
        let tokens = Person::new().sign_in(&replicas[0]).await;
        let mut current = tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
        for generation in 0..3 {
            current = refreshed(&replicas[generation % REPLICAS], &current).await;
        }
    }
    println!(
        "{rounds} times {USES} parallel uses of one refresh token over {REPLICAS} replicas: all answered, {busy} of \
         them at the second attempt, and exactly one of the answers could go on each time"
    );
}

async fn refresh(replica: &Replica, token: &str) -> Answer {
    replica.post_native("/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

async fn refreshed(replica: &Replica, token: &str) -> String {
    let mut answer = refresh(replica, token).await;
    for _ in 0..20 {
        if answer.status != 503 {
            break;
        }
        sleep(Duration::from_millis(500)).await;
        answer = refresh(replica, token).await;
    }
    answer.body["refresh_token"].as_str().unwrap_or_else(|| panic!("no refresh token: {answer:?}")).to_owned()
}
