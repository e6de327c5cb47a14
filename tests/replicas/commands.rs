//! `uitsmijter keys`, as a program, while replicas run.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::redis::RedisServer;
use crate::replica::{INTEROP, Replica};
use crate::world::World;

const OLDER: &str = "2027-01-01";

#[tokio::test]
async fn a_revocation_and_a_rotation_at_once_reach_every_replica_within_two_seconds() {
    let redis = RedisServer::start().await;
    let world = World::on(&redis).tenant("bank", "ES256").with("SIGNING_KEY_SECRET", "a-secret");
    let replicas = world.start_together(3).await;
    for replica in &replicas {
        replica.jwks(INTEROP).await;
        replica.jwks("bank.test").await;
    }
    let old = replicas[0].kids(INTEROP).await[0].clone();
    let token = replicas[1].token(INTEROP).await;
    let said = world.run(&["keys", "revoke", &old]).await;
    assert!(said.contains(&format!("interop: {old} is revoked")) && !said.contains("bank"), "{said}");
    let slowest = everywhere(&replicas, |kids| !kids.contains(&old)).await;
    for replica in &replicas {
        assert!(!replica.believes(INTEROP, &token).await, "what it signed is not believed");
        replica.token(INTEROP).await;
    }
    // A tenant that was never used is skipped, and is not a failure.
    let world = world.tenant("idle", "RS256");
    let said = world.run(&["keys", "rotate", "--now"]).await;
    assert!(said.contains("idle: no keys yet") && said.contains("interop: RS256 key "), "{said}");
    assert!(said.contains("refuse its tokens until they fetch it again"), "says what it means: {said}");
    let next = said.lines().find_map(|line| line.strip_prefix("interop: RS256 key ")?.split(' ').next());
    let next = next.expect("the new key").to_owned();
    everywhere(&replicas, |kids| kids.contains(&next)).await;
    assert!(!world.try_run(&["keys", "rotate", "--tenant", "idle"]).await.status.success());

    let exported: Value =
        serde_json::from_str(&world.run(&["keys", "export", "--public", "--tenant", "interop"]).await).expect("a JWKS");
    assert_eq!(exported, replicas[2].jwks(INTEROP).await);
    assert!(world.run(&["keys", "list"]).await.lines().next().expect("a head").contains("LAST EXPIRY"));
    println!("a revoked key was gone from three replicas after {slowest:.1?}");
}

#[tokio::test]
async fn a_shell_without_the_secret_of_the_servers_makes_no_key() {
    let redis = RedisServer::start().await;
    let mut world = World::on(&redis).with("SIGNING_KEY_SECRET", "secret-of-the-servers");
    let replica = world.start().await;
    let kid = replica.kids(INTEROP).await[0].clone();
    for secret in ["another-secret", ""] {
        world.set("SIGNING_KEY_SECRET", secret);
        for words in [&["keys", "rotate"][..], &["keys", "rotate", "--now"], &["keys", "revoke", &kid]] {
            let said = refused(&world.try_run(words).await);
            let named = said.contains("interop") && said.contains(&kid) && said.contains("SIGNING_KEY_SECRET");
            assert!(named, "{words:?}: {said}");
        }
    }
    assert_eq!(world.keys(None).await.len(), 1, "and looking is free");
    assert_eq!(replica.kids(INTEROP).await, [kid]);
    replica.token(INTEROP).await;
}

#[tokio::test]
async fn one_damaged_row_does_not_hold_up_the_other_tenants() {
    let redis = RedisServer::start().await;
    let world = World::on(&redis).tenant("bank", "ES256");
    let replica = world.start().await;
    replica.jwks("bank.test").await;
    let kid = replica.kids(INTEROP).await[0].clone();
    let row = redis.cli(&["--scan", "--pattern", "uitsmijter:{bank}keys:*"]);
    redis.cli(&["hset", &row, "value", "garbage"]);
    let output = world.try_run(&["keys", "list"]).await;
    assert!(refused(&output).contains("tenant bank"));
    assert!(String::from_utf8_lossy(&output.stdout).contains(&kid), "the others are shown: {output:?}");
    let output = world.try_run(&["keys", "rotate"]).await;
    assert!(refused(&output).contains("1 of 2 tenants failed: bank"), "{output:?}");
    assert_eq!(world.keys(Some("interop")).await.len(), 2, "the other one has its new key");
    let output = world.try_run(&["keys", "revoke", &kid]).await;
    assert!(refused(&output).contains("bank"), "it may be there, too");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("interop: {kid} is revoked")), "{output:?}");
}

#[tokio::test]
async fn the_older_keys_are_adopted_by_all_removed_once_nobody_needs_them_and_withdrawn_from_all() {
    let redis = RedisServer::start().await;
    leave_older_keys(&redis);
    let world = World::on(&redis)
        .tenant("bank", "RS256")
        .tenant("late", "RS256")
        .tenant("mall", "RS256")
        .with("SIGNING_KEY_SECRET", "a-secret");
    let replica = world.start().await;
    assert_eq!(replica.kids(INTEROP).await, [OLDER], "adopted at the first use");
    let import = ["keys", "import", "--delete-source"];
    let output = world.try_run(&[&import[..], &["--tenant", "interop"]].concat()).await;
    let said = refused(&output);
    assert!(said.contains("late, mall") && said.contains("have no keys yet"), "{said}");
    assert!(is_left(&redis), "the others need it");
    let said = world.run(&["keys", "import", "--tenant", "mall"]).await;
    assert!(said.contains(&format!("mall: imported {OLDER}")), "{said}");

    // It leaked: revoked at those that have it, and withheld from the one that would adopt it next.
    let said = world.run(&["keys", "revoke", OLDER]).await;
    assert!(said.contains("interop: 2027-01-01 is revoked") && said.contains("mall: 2027-01-01 is revoked"), "{said}");
    for host in ["late.test", "mall.test"] {
        let kids = replica.kids(host).await;
        assert!(!kids.is_empty() && !kids.contains(&OLDER.to_owned()), "{host}: {kids:?}");
        replica.token(host).await;
    }
    everywhere(std::slice::from_ref(&replica), |kids| !kids.contains(&OLDER.to_owned())).await;

    let said = world.run(&import).await;
    assert!(said.contains("interop: has keys already") && said.contains("late: has keys already"), "{said}");
    assert!(!is_left(&redis), "removed");
}

#[tokio::test]
async fn older_keys_whose_halves_do_not_belong_together_are_named_by_tenant_and_kid() {
    let redis = RedisServer::start().await;
    leave_older_keys(&redis);
    let other = public_half(&private_half());
    redis.cli(&["set", &format!("uitsmijter:jwks:keys:{OLDER}:public"), &other]);
    let world = World::on(&redis);
    let replica = world.spawn();
    replica.listens().await;
    assert!(replica.get(INTEROP, "/.well-known/jwks.json").await.status.is_server_error());
    let output = world.try_run(&["keys", "import"]).await;
    for said in [replica.log(), refused(&output)] {
        let named = said.contains("tenant interop") && said.contains(OLDER) && said.contains("do not belong together");
        assert!(named, "{said}");
    }
    assert!(is_left(&redis), "left as it was");
}

/// Waits until `holds` is true of the key ids of every replica; returns how long that took, which is at most two
/// seconds on an idle machine.
async fn everywhere(replicas: &[Replica], holds: impl Fn(&Vec<String>) -> bool) -> Duration {
    let begun = Instant::now();
    for replica in replicas {
        while !holds(&replica.kids(INTEROP).await) {
            assert!(begun.elapsed() < Duration::from_secs(20), "the news do not arrive");
            sleep(Duration::from_millis(50)).await;
        }
    }
    begun.elapsed()
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One key, as the older server left it.
fn leave_older_keys(redis: &RedisServer) {
    let private = private_half();
    let metadata = format!(r#"{{"kid":"{OLDER}","createdAt":"2026-10-01T00:00:00Z","isActive":true}}"#);
    redis.cli(&["set", "uitsmijter:jwks:active", OLDER]);
    redis.cli(&["zadd", "uitsmijter:jwks:index", "1790812800", OLDER]);
    for (part, value) in [("private", &private), ("public", &public_half(&private)), ("metadata", &metadata)] {
        redis.cli(&["set", &format!("uitsmijter:jwks:keys:{OLDER}:{part}"), value]);
    }
}

fn is_left(redis: &RedisServer) -> bool {
    redis.cli(&["get", "uitsmijter:jwks:active"]).trim() == OLDER
}

fn private_half() -> String {
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
}

fn public_half(private: &str) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), private).expect("a file");
    openssl(&["pkey", "-in", &file.path().display().to_string(), "-pubout"])
}

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().expect("openssl");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("PEM")
}
