//! A rolling restart behind a balancer, under load: nobody sees it.

use crate::counts::rounds;
use crate::redis::RedisServer;
use crate::traffic::{REPLICAS, Traffic, production};

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_request_and_no_session() {
    let redis = RedisServer::start().await;
    let world = production(&redis);
    let mut traffic = Traffic::begin(&world).await;
    let rounds = rounds(1, 5);
    for _ in 0..rounds {
        traffic.replace_all(&world).await;
    }
    println!("{rounds} rolling restarts of {REPLICAS} replicas: {}", traffic.end().await);
}
