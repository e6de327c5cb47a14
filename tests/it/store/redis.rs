//! One Redis: how to get in, and what happens when it goes away.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use uitsmijter::protocol::error::Unavailable;
use uitsmijter::secret::Secret;
use uitsmijter::store::Backend;
use uitsmijter::store::settings::RedisSettings;

use super::fixture::{OneChange, open_redis};
use crate::harness::lossy_proxy::LossyProxy;
use crate::harness::redis::{RedisServer, certificates, eventually};

const LONG: Duration = Duration::from_secs(60);

async fn refusal(settings: RedisSettings) -> String {
    let Err(error) = open_redis(settings).await else { panic!("it was opened") };
    format!("{error:#}")
}

async fn put_and_get(store: &Arc<dyn Backend>) -> anyhow::Result<()> {
    store.put("{t}a", b"one", &["{t}g".to_owned()], LONG).await?;
    anyhow::ensure!(store.get("{t}a").await?.as_deref() == Some(&b"one"[..]));
    Ok(())
}

/// Every verb must say so, and soon.
async fn assert_unavailable(store: &Arc<dyn Backend>, within: Duration) {
    let start = Instant::now();
    let groups = ["{t}g".to_owned()];
    let outcomes = timeout(
        within,
        futures_util::future::join_all([
            store.put("{t}a", b"one", &groups, LONG),
            Box::pin(async { store.get("{t}a").await.map(drop) }),
            Box::pin(async { store.consume("{t}a").await.map(drop) }),
            Box::pin(async { store.compare_and_set("{t}a", None, b"one", &[], None).await.map(drop) }),
            Box::pin(async { store.members("{t}g").await.map(drop) }),
            store.remove_group("{t}g"),
            Box::pin(async { store.remove("{t}a").await.map(drop) }),
            store.ping(),
        ]),
    );
    let outcomes = outcomes.await.unwrap_or_else(|_| panic!("no answer after {:?}", start.elapsed()));
    for (verb, outcome) in outcomes.into_iter().enumerate() {
        let error = outcome.expect_err(&format!("verb {verb}"));
        assert!(error.downcast_ref::<Unavailable>().is_some(), "verb {verb}: {error:?}");
    }
}

#[tokio::test]
async fn a_killed_redis_is_unavailable_at_once_and_works_again_after_its_return() {
    let mut server = RedisServer::start().await;
    let store = open_redis(server.settings()).await.unwrap();
    put_and_get(&store).await.unwrap();
    server.stop();
    assert_unavailable(&store, Duration::from_secs(1)).await;
    eventually("the loss is known", async || {
        let start = Instant::now();
        store.ping().await.unwrap_err();
        start.elapsed() < Duration::from_millis(20)
    })
    .await;
    server.restart().await;
    // The longest pause between two attempts is a second.
    eventually("it works again", async || put_and_get(&store).await.is_ok()).await;
}

#[tokio::test]
async fn an_idle_server_notices_a_restart_before_a_request_does() {
    let mut server = RedisServer::start().await;
    let store = open_redis(server.settings()).await.unwrap();
    put_and_get(&store).await.unwrap();
    server.restart().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    put_and_get(&store).await.unwrap();
}

#[tokio::test]
async fn a_read_survives_a_lost_answer_and_a_use_is_never_counted_twice() {
    let server = RedisServer::start().await;
    let proxy = LossyProxy::start(server.port).await;
    let store = open_redis(RedisSettings { port: proxy.port, ..server.settings() }).await.unwrap();
    put_and_get(&store).await.unwrap();
    assert_eq!(store.consume("{t}a").await.unwrap().unwrap().0, 1);

    proxy.lose_answer_to("HGET");
    assert_eq!(store.get("{t}a").await.unwrap().unwrap(), b"one");
    assert!(proxy.has_lost());

    proxy.lose_answer_to("EVALSHA");
    let error = store.consume("{t}a").await.unwrap_err();
    assert!(proxy.has_lost());
    assert!(error.downcast_ref::<Unavailable>().is_some(), "{error:?}");
    assert_eq!(store.consume("{t}a").await.unwrap().unwrap().0, 3, "the lost one was carried out, and only once");
}

#[tokio::test]
async fn a_frozen_redis_is_unavailable_within_the_timeout() {
    let server = RedisServer::start().await;
    let store = open_redis(server.settings()).await.unwrap();
    put_and_get(&store).await.unwrap();
    server.freeze();
    assert_unavailable(&store, Duration::from_millis(800)).await;
    eventually("the loss is known", async || {
        let start = Instant::now();
        store.ping().await.unwrap_err();
        start.elapsed() < Duration::from_millis(20)
    })
    .await;
    server.thaw();
    eventually("it works again", async || put_and_get(&store).await.is_ok()).await;
}

#[tokio::test]
async fn a_redis_that_cannot_write_is_unavailable() {
    let server = RedisServer::start().await;
    let store = open_redis(server.settings()).await.unwrap();
    put_and_get(&store).await.unwrap();

    server.cli(&["config", "set", "maxmemory", "1"]);
    for outcome in [store.put("{t}a", b"two", &[], LONG).await, store.consume("{t}a").await.map(drop)] {
        let error = outcome.unwrap_err();
        assert!(error.downcast_ref::<Unavailable>().is_some(), "{error:?}");
    }
    assert_eq!(store.get("{t}a").await.unwrap().unwrap(), b"one", "what was refused has changed nothing");
    server.cli(&["config", "set", "maxmemory", "0"]);
    assert_eq!(store.consume("{t}a").await.unwrap().unwrap(), (1, b"one".to_vec()));

    server.cli(&["replicaof", "127.0.0.1", "1"]);
    let error = store.put("{t}a", b"two", &[], LONG).await.unwrap_err();
    assert!(error.downcast_ref::<Unavailable>().is_some(), "{error:?}");
    server.cli(&["replicaof", "no", "one"]);
    eventually("it works again", async || put_and_get(&store).await.is_ok()).await;
}

#[tokio::test]
async fn a_forgotten_script_is_sent_again() {
    let server = RedisServer::start().await;
    let store = open_redis(server.settings()).await.unwrap();
    put_and_get(&store).await.unwrap();
    assert_eq!(store.consume("{t}a").await.unwrap().unwrap().0, 1);
    server.cli(&["script", "flush"]);
    assert_eq!(store.consume("{t}a").await.unwrap().unwrap().0, 2);
}

#[tokio::test]
async fn a_group_leaves_nothing_behind_in_redis() {
    let server = RedisServer::start().await;
    let store = open_redis(server.settings()).await.unwrap();
    put_and_get(&store).await.unwrap();
    let keys = server.cli(&["keys", "*"]);
    assert!(keys.lines().all(|key| key.starts_with("uitsmijter:{t}")), "{keys}");
    let millis = |key: &str| server.cli(&["pexpiretime", key]).parse::<i64>().unwrap();
    assert_eq!(millis("uitsmijter:{t}a"), millis("uitsmijter:{t}g"), "a group ends with its longest member");
    store.put("{t}b", b"two", &["{t}g".to_owned()], Duration::from_secs(1)).await.unwrap();
    assert_eq!(millis("uitsmijter:{t}a"), millis("uitsmijter:{t}g"));
    store.remove_group("{t}g").await.unwrap();
    assert_eq!(server.cli(&["dbsize"]), "0");
}

#[tokio::test]
async fn password_user_and_database_are_honoured() {
    let server = RedisServer::start_with(&["--requirepass", "s3cret-default"]).await;
    server.cli(&[
        "-a",
        "s3cret-default",
        "--no-auth-warning",
        "acl",
        "setuser",
        "bouncer",
        "on",
        ">s3cret-bouncer",
        "~uitsmijter:*",
        "+@all",
        "-@admin",
    ]);
    let with = |username: Option<&str>, password: Option<&str>| RedisSettings {
        username: username.map(str::to_owned),
        password: password.map(Secret::new),
        db: 3,
        ..server.settings()
    };
    put_and_get(&open_redis(with(None, Some("s3cret-default"))).await.unwrap()).await.unwrap();
    put_and_get(&open_redis(with(Some("bouncer"), Some("s3cret-bouncer"))).await.unwrap()).await.unwrap();
    let url = Some(Secret::new(format!("redis://bouncer:s3cret-bouncer@{}/3", server.address())));
    put_and_get(&open_redis(RedisSettings { url, ..RedisSettings::default() }).await.unwrap()).await.unwrap();
    let keyspace = server.cli(&["-a", "s3cret-default", "--no-auth-warning", "info", "keyspace"]);
    assert!(keyspace.contains("db3:") && !keyspace.contains("db0:"), "{keyspace}");

    let start = Instant::now();
    for wrong in [with(None, Some("s3cret-wrong")), with(Some("nobody"), Some("s3cret-bouncer")), with(None, None)] {
        let refusal = refusal(wrong).await;
        assert!(refusal.contains(&server.address()) && !refusal.contains("s3cret"), "{refusal}");
    }
    assert!(start.elapsed() < Duration::from_secs(2), "a wrong password is not worth waiting");
}

#[tokio::test]
async fn tls_with_an_authority_of_its_own() {
    let folder = certificates();
    let server = RedisServer::start_with_tls(folder.path()).await;
    let settings = RedisSettings {
        host: "localhost".to_owned(),
        ca_file: Some(folder.path().join("ca.pem")),
        ..server.settings()
    };
    put_and_get(&open_redis(settings.clone()).await.unwrap()).await.unwrap();
    let url = Some(Secret::new(format!("rediss://localhost:{}", server.port)));
    put_and_get(&open_redis(RedisSettings { url, ..settings.clone() }).await.unwrap()).await.unwrap();

    let stranger = RedisSettings { ca_file: None, tls: true, ..settings.clone() };
    let address = RedisSettings { host: "127.0.0.1".to_owned(), ..settings };
    let (stranger, address) = tokio::join!(refusal(stranger), refusal(address));
    assert!(stranger.contains("certificate"), "{stranger}");
    assert!(address.contains("certificate"), "the name is checked: {address}");
}

#[tokio::test]
async fn a_redis_that_starts_late_is_waited_for_and_a_missing_one_is_named() {
    let mut server = RedisServer::start().await;
    server.stop();
    let missing = refusal(server.settings()).await;
    assert!(missing.contains(&format!("Redis at {} cannot be used as the store", server.address())), "{missing}");
    let (store, ()) = tokio::join!(open_redis(server.settings()), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.restart().await;
    });
    put_and_get(&store.unwrap()).await.unwrap();
}

#[tokio::test]
async fn settings_that_contradict_themselves_are_refused() {
    let prefix = RedisSettings { prefix: "{x}:".to_owned(), ..RedisSettings::default() };
    assert!(refusal(prefix).await.contains("braces"));
    let hosts = vec!["a:1".to_owned()];
    let sentinel = uitsmijter::store::settings::SentinelSettings { hosts: hosts.clone(), ..Default::default() };
    let both = RedisSettings { sentinel: Some(sentinel.clone()), cluster_hosts: hosts, ..RedisSettings::default() };
    assert!(refusal(both).await.contains("not both"));
    let nameless = RedisSettings { sentinel: Some(sentinel), ..RedisSettings::default() };
    assert!(refusal(nameless).await.contains("name of the master"));
}

#[test]
fn settings_are_read_strictly_and_shown_without_secrets() {
    let read = yaml_serde::from_str::<RedisSettings>;
    let settings = read("url: redis://me:hunter2@redis\npassword: hunter2\nsentinel: {password: hunter2}").unwrap();
    assert_eq!(settings.response_timeout_ms, 500);
    assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
    assert!(read("pasword: hunter2").is_err());
}
