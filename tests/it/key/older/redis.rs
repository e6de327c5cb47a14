//! Moving in from Uitsmijter's own Redis: its keys are found, go on signing, and stay there until an operator removes them.

use std::process::Command;

use uitsmijter::key::older::layout::OlderLayout;

use crate::harness::redis::RedisServer;
use crate::harness::response::decoded;
use crate::harness::{RelyingParty, TestServer, fixtures};

const KID: &str = "2027-01-01";

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().expect("openssl");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("PEM")
}

/// A Redis in which the older server left one key.
async fn older_installation() -> RedisServer {
    let redis = RedisServer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key.pem").display().to_string();
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &file]);
    let private = std::fs::read_to_string(&file).expect("PEM");
    let public = openssl(&["pkey", "-in", &file, "-pubout"]);
    let metadata = format!(r#"{{"kid":"{KID}","createdAt":"2027-01-01T00:00:00Z","isActive":true}}"#);
    redis.cli(&["set", "uitsmijter:jwks:active", KID]);
    redis.cli(&["zadd", "uitsmijter:jwks:index", "1798761600", KID]);
    for (part, value) in [("private", &private), ("public", &public), ("metadata", &metadata)] {
        redis.cli(&["set", &format!("uitsmijter:jwks:keys:{KID}:{part}"), value]);
    }
    redis
}

#[tokio::test]
async fn the_keys_of_the_older_server_sign_on() {
    let redis = older_installation().await;
    let port = redis.port.to_string();
    let environment = [("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", port.as_str())];
    let server = TestServer::start_with(&fixtures::documents(), &environment).await;
    let keys = server.get("/.well-known/jwks.json").await.expect(200).json();
    assert_eq!(keys["keys"][0]["kid"], KID, "{keys}");
    let service = RelyingParty::new(&server, "service");
    let token = service.token(&[("grant_type", "client_credentials")]).await.expect(200).member("access_token");
    assert_eq!(decoded(&token, 0)["kid"], KID);
    assert!(!redis.cli(&["get", &format!("uitsmijter:jwks:keys:{KID}:private")]).trim().is_empty(), "left as it was");
    OlderLayout::remove(&server.app.store).await.expect("removed");
    assert_eq!(redis.cli(&["keys", "uitsmijter:jwks:*"]).trim(), "");
}
