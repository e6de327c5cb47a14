//! Key sets in Redis that were altered, truncated or moved.

use serde_json::Value;

use crate::redis::RedisServer;
use crate::replica::INTEROP;
use crate::verifier::Verifier;
use crate::world::World;

#[tokio::test]
async fn a_bad_row_is_named_refused_and_left_alone_and_running_replicas_go_on() {
    let redis = RedisServer::start().await;
    let world = World::on(&redis).tenant("bank", "ES256").with("SIGNING_KEY_SECRET", "a-secret").fast(10);
    let running = world.start().await;
    let kids = running.kids(INTEROP).await;
    let others = running.kids("bank.test").await;
    let verifier = Verifier::knowing(running.jwks(INTEROP).await);
    let token = running.token(INTEROP).await;
    let (row, good) = (row_of(&redis, "interop"), value_of(&redis, &row_of(&redis, "interop")));
    let foreign = value_of(&redis, &row_of(&redis, "bank"));

    let bad: [(&str, Vec<u8>); 5] = [
        ("not JSON", b"\x00\xff garbage".to_vec()),
        ("empty", Vec::new()),
        ("cut", good.as_bytes()[..good.len() / 2].to_vec()),
        ("somebody else's JSON", br#"{"record":{"theirs":true}}"#.to_vec()),
        ("another tenant's", foreign.into_bytes()),
    ];
    for (what, bytes) in &bad {
        write(&redis, &row, bytes);
        // A new process has nothing in memory, and names the bad row.
        let fresh = world.spawn();
        fresh.listens().await;
        let answer = fresh.get(INTEROP, "/.well-known/jwks.json").await;
        assert!(answer.status.is_server_error(), "{what}: {answer:?}");
        assert_eq!(fresh.kids("bank.test").await, others, "{what}: other tenants are not touched");
        let log = fresh.log();
        assert!(log.contains("the signing keys of tenant interop"), "{what}: {log}");
        assert!(!log.contains("panicked"), "{what}: {log}");
        // A running one continues from memory.
        assert_eq!(running.kids(INTEROP).await, kids, "{what}");
        assert_eq!(verifier.complaint(&running.token(INTEROP).await), None, "{what}");
        assert_eq!(value_bytes(&redis, &row), *bytes, "{what}: left as it is");
        // The commands say the same.
        let output = world.try_run(&["keys", "list", "--tenant", "interop"]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("tenant interop"), "{what}: {said}");
        fresh.kill();
    }
    // A process that starts later reads the unchanged row again.
    write(&redis, &row, good.as_bytes());
    let fresh = world.start().await;
    assert_eq!(fresh.kids(INTEROP).await, kids);
    assert!(fresh.believes(INTEROP, &token).await);
    println!("{} bad rows: each named by tenant, none changed, the running replica went on", bad.len());
}

#[tokio::test]
async fn private_halves_that_changed_places_are_named_by_tenant_and_kid_and_still_published() {
    let redis = RedisServer::start().await;
    let world = World::on(&redis).tenant("bank", "ES256").with("SIGNING_KEY_SECRET", "a-secret");
    let running = world.start().await;
    let kids = running.kids("bank.test").await;
    let row = row_of(&redis, "bank");
    let mut set: Value = serde_json::from_str(&value_of(&redis, &row)).expect("JSON");
    let (first, second) = (set["record"]["keys"][0]["private"].clone(), set["record"]["keys"][1]["private"].clone());
    (set["record"]["keys"][0]["private"], set["record"]["keys"][1]["private"]) = (second, first);
    write(&redis, &row, set.to_string().as_bytes());

    let fresh = world.spawn();
    fresh.listens().await;
    assert_eq!(fresh.kids("bank.test").await, kids, "still published");
    let answer = fresh.try_token("bank.test").await.expect_err("it cannot sign with them");
    assert_eq!(answer.status, 500, "{answer:?}");
    let log = fresh.log();
    for kid in &kids {
        assert!(log.contains(&format!("signing key {kid} of tenant bank does not open")), "{kid}: {log}");
    }
    running.token("bank.test").await;
    println!("{} private halves that changed places: each named by tenant and kid", kids.len());
}

fn row_of(redis: &RedisServer, tenant: &str) -> String {
    redis.cli(&["--scan", "--pattern", &format!("uitsmijter:{{{tenant}}}keys:*")])
}

fn value_of(redis: &RedisServer, row: &str) -> String {
    redis.cli(&["hget", row, "value"])
}

/// The raw bytes.
fn value_bytes(redis: &RedisServer, row: &str) -> Vec<u8> {
    let script = format!(
        "redis.call('HGET', '{row}', 'value'):gsub('.', function(c) return string.format('%02x', c:byte()) end)"
    );
    let hex = redis.cli(&["eval", &format!("return ({script})"), "0"]);
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex")).collect()
}

fn write(redis: &RedisServer, row: &str, bytes: &[u8]) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let script = "local raw = ARGV[1]:gsub('..', function(h) return string.char(tonumber(h, 16)) end) \
                  return redis.call('HSET', KEYS[1], 'value', raw)";
    redis.cli(&["eval", script, "1", row, &hex]);
}
