//! Redis behind real sentinels: one primary, two replicas of it, three sentinels.
//!
//! Redis acknowledges a write before its replicas have it, so a failover can lose the last acknowledged writes. Here
//! the test waits until both replicas have everything (`WAIT`), and everything must survive. Keys that are lost in such
//! a moment come back from the memory of the servers; a session, a code or a refresh token does not, and the person
//! signs in again.

use std::time::Duration;

use tokio::time::Instant;

use crate::counts::rounds;
use crate::redis::{RedisServer, eventually};
use crate::replica::INTEROP;
use crate::sign_in::{Person, redeem};
use crate::store_lost::{Steady, away, until};
use crate::verifier::Verifier;
use crate::world::World;

#[tokio::test]
async fn a_failover_costs_a_moment_and_nothing_that_redis_had_replicated() {
    let rounds = rounds(1, 10);
    let (mut steady, mut back) = (Steady::default(), Vec::new());
    for _ in 0..rounds {
        back.push(one_failover(&mut steady).await);
    }
    println!(
        "{rounds} failovers by three sentinels: {} requests meanwhile without a failure; the store was used again \
         after {back:.1?}; codes, refresh tokens and sessions of before went on",
        steady.asked
    );
}

async fn one_failover(steady: &mut Steady) -> Duration {
    let (mut servers, sentinels) = start_watched().await;
    let world = World::behind(&sentinels).with("JWT_ALGORITHM", "ES256");
    let replicas = world.start_together(2).await;
    let verifier = Verifier::knowing(replicas[0].jwks(INTEROP).await);
    let before = replicas[0].kids(INTEROP).await;
    let mut person = Person::new();
    let refresh = person.sign_in(&replicas[0]).await["refresh_token"].as_str().expect("a token").to_owned();
    let code = person.code(&replicas[0]).await;
    // WAIT counts what this connection wrote, so it has to write something itself.
    let port = servers[0].port;
    eventually("both replicas have everything", async || replicated(port, 2).await).await;

    servers.remove(0).stop();
    let begun = Instant::now();
    away(&replicas, steady, &verifier, &refresh).await;
    until("the new primary is used", steady, &replicas, &verifier, async || {
        replicas[0].has_store().await && replicas[1].has_store().await
    })
    .await;
    let back = begun.elapsed();

    assert_eq!(redeem(&replicas[0], &code).await.status, 200, "a code from before the failover");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(replicas[1].post_native("/token", &form).await.status, 200, "a refresh token from before the failover");
    person.code_of_session(&replicas[0]).await;
    for replica in &replicas {
        assert_eq!(replica.kids(INTEROP).await, before);
    }
    steady.ask_for(Duration::from_secs(1), &replicas, &verifier).await;
    for replica in &replicas {
        assert!(!replica.log().contains("panicked"), "{}", replica.log());
    }
    back
}

/// Whether `count` replicas of the server on `port` have every write so far.
async fn replicated(port: u16, count: usize) -> bool {
    let script = format!("printf 'SET written-by-the-test 1\\nWAIT {count} 2000\\n' | redis-cli -p {port}");
    let output = tokio::process::Command::new("sh").args(["-c", &script]).output().await.expect("redis-cli");
    String::from_utf8_lossy(&output.stdout).lines().last() == Some(count.to_string().as_str())
}

/// A primary, two replicas in step with it, and three sentinels that know all.
async fn start_watched() -> (Vec<RedisServer>, Vec<RedisServer>) {
    let primary = RedisServer::start().await;
    let address = format!("127.0.0.1 {}", primary.port);
    let mut servers = vec![primary];
    for _ in 0..2 {
        servers.push(RedisServer::start_with(&["--replicaof", &address, "--repl-diskless-sync-delay", "0"]).await);
    }
    eventually("both replicas are in step", async || replicated(servers[0].port, 2).await).await;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        sentinels.push(RedisServer::start_sentinel(&servers[0]).await);
    }
    for sentinel in &sentinels {
        eventually("the sentinels know everyone", async || {
            let known = sentinel.cli(&["sentinel", "master", "mymaster"]);
            let value = |name| known.lines().skip_while(|line| *line != name).nth(1).map(str::to_owned);
            value("num-slaves").as_deref() == Some("2") && value("num-other-sentinels").as_deref() == Some("2")
        })
        .await;
    }
    (servers, sentinels)
}
