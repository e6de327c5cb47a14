//! Many processes that start at the same moment on an empty store.

use futures_util::future::join_all;

use crate::counts::rounds;
use crate::redis::RedisServer;
use crate::replica::INTEROP;
use crate::world::World;

const PROCESSES: usize = 20;
/// Host, name and number of key algorithms: RS256 is always among them.
const TENANTS: [(&str, &str, usize); 2] = [(INTEROP, "interop", 1), ("bank.test", "bank", 2)];

#[tokio::test]
async fn twenty_processes_on_an_empty_store_end_with_one_key_per_tenant_and_algorithm() {
    let rounds = rounds(3, 50);
    let mut verified = 0;
    for _ in 0..rounds {
        let redis = RedisServer::start().await;
        let world = World::on(&redis).tenant("bank", "ES256");
        let replicas = world.start_together(PROCESSES).await;
        for (host, name, algorithms) in TENANTS {
            // This request is the first use of the second tenant, everywhere at once.
            let published = join_all(replicas.iter().map(|replica| replica.kids(host))).await;
            assert_eq!(published[0].len(), algorithms, "{published:?}");
            assert!(published.iter().all(|kids| *kids == published[0]), "{published:?}");

            let stored = world.keys(Some(name)).await;
            assert_eq!(stored.len(), algorithms, "{stored:?}");
            assert!(stored.iter().all(|key| key["state"] == "signing"), "{stored:?}");

            let tokens = join_all(replicas.iter().map(|replica| replica.token(host))).await;
            for replica in &replicas {
                let believed = join_all(tokens.iter().map(|token| replica.believes(host, token))).await;
                assert!(believed.iter().all(|believed| *believed), "{believed:?}");
                verified += believed.len();
            }
        }
        for replica in &replicas {
            assert!(!replica.log().contains("panicked"), "{}", replica.log());
        }
    }
    println!(
        "{rounds} starts of {PROCESSES} processes on an empty store: one key per tenant and algorithm each time, \
         {verified} tokens verified at another process, 0 failures"
    );
}
