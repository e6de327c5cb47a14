//! What is different in production, with nothing declared about proxies.

use super::program::Program;

/// `GET path` at this port as a proxy of the same machine would forward it; status and body.
async fn forwarded(port: u16, path: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.get(format!("http://127.0.0.1:{port}{path}"));
    let request = request.header("host", "login.acme.example").header("x-forwarded-for", "203.0.113.9");
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

#[tokio::test]
async fn a_proxy_that_nobody_declared_is_named_by_readiness_and_by_check() {
    let sealing = ("SIGNING_KEY_SECRET", "a sealing secret of at least thirty-two bytes");
    let program = Program::start("", &[("ENVIRONMENT", "production"), ("STORE_PATH", "store.redb"), sealing]);
    let before = program.say(&["check"]);
    assert!(before.contains("TRUSTED_PROXIES is not set") && !before.contains("127.0.0.1,"), "{before}");
    assert_eq!(forwarded(program.port, "/versions").await.0, 200);
    let (status, ready) = forwarded(program.metrics, "/health/ready").await;
    assert!(status == 200 && ready.contains("\"undeclared_proxies\":[\"127.0.0.1\"]"), "{ready}");
    let check = program.say(&["check"]);
    assert!(check.contains("is sent X-Forwarded-For by 127.0.0.1:"), "{check}");
    // Figures are for operators alone.
    assert_eq!(forwarded(program.port, "/metrics").await.0, 404);
    assert_eq!(forwarded(program.metrics, "/metrics").await.0, 200);
}

#[tokio::test]
async fn a_user_name_in_the_log_is_found_by_its_digest() {
    let secrets =
        [("SIGNING_KEY_SECRET", "a sealing secret of at least thirty-two bytes,the one before it was changed")];
    let program = Program::start("", &secrets);
    let digests = program.say(&["audit", "digest", " \u{ff21}da "]);
    assert_eq!(digests, program.say(&["audit", "digest", "ada"]));
    assert_eq!(digests.lines().map(str::len).collect::<Vec<_>>(), [22, 22], "one for each secret");
}
