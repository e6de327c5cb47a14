//! Redis behind sentinels, and Redis as a cluster.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use uitsmijter::protocol::error::Unavailable;
use uitsmijter::store::Backend;
use uitsmijter::store::settings::{RedisSettings, SentinelSettings};

use super::fixture::{OneChange, open_redis};
use crate::harness::redis::{RedisServer, eventually, start_cluster};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_sentinels_are_followed_to_every_new_master() {
    let mut servers = start_replicated().await;
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
    let hosts = sentinels.iter().map(RedisServer::address).collect();
    let sentinel = SentinelSettings { hosts, master: "mymaster".to_owned(), ..SentinelSettings::default() };
    let store = open_redis(RedisSettings { sentinel: Some(sentinel), ..RedisSettings::default() }).await.unwrap();
    store.put("{t}code", b"code", &["{t}g".to_owned()], LONG).await.unwrap();
    assert_eq!(store.consume("{t}code").await.unwrap().unwrap().0, 1);
    assert_eq!(servers[0].cli(&["wait", "2", "5000"]), "2", "both replicas have it");

    // The master dies.
    servers.remove(0).stop();
    let start = Instant::now();
    let error = timeout(Duration::from_secs(1), store.consume("{t}code")).await.unwrap().unwrap_err();
    assert!(error.downcast_ref::<Unavailable>().is_some(), "{error:?}");
    eventually("the new master takes writes", async || store.put("{t}a", b"one", &[], LONG).await.is_ok()).await;
    println!("the failover took {:?}", start.elapsed());
    assert_eq!(
        store.consume("{t}code").await.unwrap().unwrap(),
        (2, b"code".to_vec()),
        "the first use is not forgotten"
    );
    assert_eq!(store.members("{t}g").await.unwrap(), [b"code"]);

    // The master steps down, and for a while it goes on taking writes that will be lost.
    let is_master = |server: &RedisServer| server.cli(&["role"]).starts_with("master");
    let (masters, replicas): (Vec<_>, Vec<_>) = servers.iter().partition(|server| is_master(server));
    assert_eq!((masters.len(), replicas.len()), (1, 1));
    eventually("the sentinels agree to another failover", async || {
        sentinels[0].cli(&["sentinel", "failover", "mymaster"]);
        tokio::time::sleep(Duration::from_millis(200)).await;
        is_master(replicas[0])
    })
    .await;
    eventually("the store has left for the new master", async || {
        store.put("{t}a", b"two", &[], LONG).await.is_ok()
            && replicas[0].cli(&["hget", "uitsmijter:{t}a", "value"]) == "two"
    })
    .await;
}

/// A master and two replicas that are in step with it.
async fn start_replicated() -> Vec<RedisServer> {
    let master = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]).await;
    let port = master.port.to_string();
    let mut servers = vec![master];
    for _ in 0..2 {
        let arguments = ["--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", &port];
        let replica = RedisServer::start_with(&arguments).await;
        eventually("a replica is in step", async || {
            replica.cli(&["info", "replication"]).contains("master_link_status:up")
        })
        .await;
        servers.push(replica);
    }
    servers
}

#[tokio::test]
async fn a_cluster_keeps_each_tenant_on_one_node() {
    let mut nodes = start_cluster().await;
    let cluster_hosts = vec![nodes[0].address(), nodes[1].address()];
    let store = open_redis(RedisSettings { cluster_hosts, ..RedisSettings::default() }).await.unwrap();
    store.ping().await.unwrap();
    let tenants: Vec<String> = (0..20).map(|tenant| format!("{{tenant-{tenant}}}")).collect();
    for tenant in &tenants {
        use_every_verb(&store, tenant).await;
    }
    for node in &nodes {
        assert_ne!(node.cli(&["dbsize"]), "0", "twenty tenants spread over three nodes");
    }

    nodes[2].stop();
    let (mut served, mut refused) = (0, 0);
    let start = Instant::now();
    for tenant in &tenants {
        match store.get(&format!("{tenant}kept")).await {
            Ok(value) => {
                assert_eq!(value.unwrap(), b"kept");
                served += 1;
            }
            Err(error) => {
                assert!(error.downcast_ref::<Unavailable>().is_some(), "{error:?}");
                refused += 1;
            }
        }
    }
    assert!(served > 0 && refused > 0, "{served} served, {refused} refused");
    assert!(start.elapsed() < Duration::from_secs(refused), "{:?} for {refused} refusals", start.elapsed());

    nodes[2].restart().await;
    eventually("all tenants are served again", async || {
        for tenant in &tenants {
            if store.put(&format!("{tenant}a"), b"again", &[], LONG).await.is_err() {
                return false;
            }
        }
        store.ping().await.is_ok()
    })
    .await;
}

async fn use_every_verb(store: &Arc<dyn Backend>, tenant: &str) {
    let (key, kept, group) = (format!("{tenant}a"), format!("{tenant}kept"), format!("{tenant}group"));
    store.put(&key, b"one", std::slice::from_ref(&group), LONG).await.unwrap();
    assert_eq!(store.consume(&key).await.unwrap().unwrap(), (1, b"one".to_vec()));
    assert!(store.compare_and_set(&key, Some(b"one"), b"two", std::slice::from_ref(&group), Some(LONG)).await.unwrap());
    assert_eq!(store.members(&group).await.unwrap(), [b"two"]);
    store.remove_group(&group).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert!(store.compare_and_set(&kept, None, b"kept", &[], None).await.unwrap());
    store.remove(&key).await.unwrap();
}
