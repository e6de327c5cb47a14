//! What becomes of resources that somebody applies, changes, breaks and deletes.

use serde_json::json;

use super::*;
use crate::harness::response::Answer;
use crate::harness::server::form;

/// What `/token` says to a client that acts for itself.
async fn token(world: &World, host: &str, client: &str, secret: &str) -> Answer {
    let fields = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
    let mut request = form("/token", &fields);
    request.headers_mut().insert("host", host.parse().unwrap());
    world.server.send(request).await
}

async fn expect_token(world: &World, host: &str, client: &str, secret: &str, code: u16) {
    let end = Instant::now() + SOON;
    loop {
        let answer = token(world, host, client, secret).await;
        if answer.status == code {
            return;
        }
        assert!(Instant::now() < end, "{client} with {secret:?}: {answer:#?}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_tenant_and_its_client_are_served_as_soon_as_they_are_applied_and_until_they_are_deleted() {
    let world = World::start().await;
    world.expect_ready().await;
    world.apply(tenant("life", "shop", "shop.life.example")).await;
    world.apply(client("life", "life-till", "life/shop")).await;
    world.expect_host("shop.life.example", 200).await;
    expect_token(&world, "shop.life.example", "life-till", "a secret in clear", 200).await;
    let end = Instant::now() + SOON;
    loop {
        let status = world.expect_status(("Tenant", "life", "shop"), "Ready", "").await;
        if status["clientCount"] == 1 {
            assert_eq!(status["observedGeneration"], 1);
            assert_eq!(status["activeSessions"], 0);
            assert!(status["lastUpdated"].as_str().unwrap().ends_with('Z'));
            break;
        }
        assert!(Instant::now() < end, "{status}");
        sleep(Duration::from_millis(50)).await;
    }
    let status = world.expect_status(("Client", "life", "life-till"), "Ready", "").await;
    assert!(status.get("clientCount").is_none(), "{status}");

    expect_token(&world, "shop.life.example", "life-till", "a guess", 401).await;
    let end = Instant::now() + SOON;
    while world.status("Client", "life", "life-till").await["deniedAttempts"].as_i64().unwrap_or(0) == 0 {
        assert!(Instant::now() < end, "a refusal is counted");
        sleep(Duration::from_millis(50)).await;
    }

    world.apply(tenant("life", "shop", "new.life.example")).await;
    world.expect_host("new.life.example", 200).await;
    world.expect_host("shop.life.example", 404).await;
    world.delete("Client", "life", "life-till").await;
    expect_token(&world, "new.life.example", "life-till", "a secret in clear", 401).await;
    world.delete("Tenant", "life", "shop").await;
    world.expect_host("new.life.example", 404).await;
    world.expect_ready().await;
}

#[tokio::test]
async fn a_broken_resource_says_so_keeps_its_last_good_version_and_hides_no_other() {
    let world = World::start().await;
    world.apply(tenant("broken", "good", "good.broken.example")).await;
    world.apply(tenant("broken", "other", "other.broken.example")).await;
    world.expect_host("good.broken.example", 200).await;
    world.expect_host("other.broken.example", 200).await;
    for (spec, message) in [
        (json!({ "hosts": { "a": "b" } }), "invalid type: map, expected a list"),
        (json!({ "hosts": ["good.broken.example"], "providers": ["class {"] }), "providers: "),
        (json!({ "hosts": ["x.broken.example"], "signing": { "announce": "soon" } }), "is not a span of time"),
        (json!({ "hosts": ["x.broken.example"], "users": [{ "username": "ada" }] }), "password_hash"),
        (json!({}), "hosts is missing"),
    ] {
        world.apply(tenant_with("broken", "good", spec)).await;
        let status = world.expect_status(("Tenant", "broken", "good"), "Error", message).await;
        assert!(status["message"].as_str().unwrap().contains("the last good version"), "{status}");
        world.expect_host("good.broken.example", 200).await;
        world.expect_host("other.broken.example", 200).await;
    }
    world.expect_status(("Tenant", "broken", "other"), "Ready", "").await;
    world.apply(tenant("broken", "good", "good.broken.example")).await;
    world.expect_status(("Tenant", "broken", "good"), "Ready", "").await;
}

#[tokio::test]
async fn of_two_tenants_that_claim_one_host_the_first_created_wins() {
    let world = World::start().await;
    // The names would decide the other way round.
    world.apply(tenant("claims-z", "first", "one.claims.example")).await;
    world.apply(tenant("claims-a", "second", "one.claims.example")).await;
    world.expect_status(("Tenant", "claims-z", "first"), "Ready", "").await;
    let lost = ("Tenant", "claims-a", "second");
    world.expect_status(lost, "Error", "already leads to tenant \"claims-z/first\"").await;
    let snapshot = world.registry.current();
    assert_eq!(&*snapshot.tenant_by_host("one.claims.example").unwrap().name, "claims-z/first");
    world.delete("Tenant", "claims-z", "first").await;
    world.expect_status(lost, "Ready", "").await;
    world.expect_host("one.claims.example", 200).await;
}

#[tokio::test]
async fn a_client_belongs_to_a_tenant_of_its_namespace_or_to_one_that_lets_it() {
    let world = World::start().await;
    world.apply(tenant("inside", "shop", "shop.inside.example")).await;
    world.apply(client("outside", "guest", "inside/shop")).await;
    let guest = ("Client", "outside", "guest");
    world.expect_status(guest, "Error", "does not take clients of namespace \"outside\"").await;
    expect_token(&world, "shop.inside.example", "guest", "a secret in clear", 401).await;
    let open = json!({ "hosts": ["shop.inside.example"], "allowed_client_namespaces": ["outside"] });
    world.apply(tenant_with("inside", "shop", open)).await;
    world.expect_status(guest, "Ready", "").await;
    expect_token(&world, "shop.inside.example", "guest", "a secret in clear", 200).await;
}

#[tokio::test]
async fn a_secret_is_read_followed_and_its_last_value_kept_when_it_is_deleted() {
    let world = World::start().await;
    let by_reference = json!({ "secretRef": { "name": "vault-till" } });
    world.apply(tenant("vault", "shop", "shop.vault.example")).await;
    world.apply(client_with("vault", "vault-till", "vault/shop", by_reference)).await;
    let till = ("Client", "vault", "vault-till");
    world.expect_status(till, "Error", "Secret \"vault-till\" does not exist in this namespace").await;
    let host = "shop.vault.example";
    // "the first word", with the line break that people leave at the end; "another word"
    world.apply(secret("vault", "vault-till", json!({ "other": "eA==" }))).await;
    world.expect_status(till, "Error", "has no text under the key \"secret\"").await;
    world.apply(secret("vault", "vault-till", json!({ "secret": "dGhlIGZpcnN0IHdvcmQK" }))).await;
    world.expect_status(till, "Ready", "").await;
    expect_token(&world, host, "vault-till", "the first word", 200).await;
    world.apply(secret("vault", "vault-till", json!({ "secret": "YW5vdGhlciB3b3Jk" }))).await;
    expect_token(&world, host, "vault-till", "another word", 200).await;
    expect_token(&world, host, "vault-till", "the first word", 401).await;
    world.delete("Secret", "vault", "vault-till").await;
    world.expect_status(till, "Error", "does not exist in this namespace").await;
    expect_token(&world, host, "vault-till", "another word", 200).await;
}

#[tokio::test]
async fn names_that_only_look_alike_are_different() {
    let world = World::start().await;
    world.apply(tenant("alike", "shop", "shop.alike.example")).await;
    // Cyrillic o and a
    world.apply(tenant("alike", "shop-2", "sh\u{43e}p.alike.example")).await;
    world.apply(client("alike", "till", "\u{430}like/shop")).await;
    world.apply(client_with("alike", "till-2", "alike/shop", json!({ "ident": "t\u{456}ll" }))).await;
    world.expect_status(("Tenant", "alike", "shop-2"), "Ready", "").await;
    world.expect_status(("Client", "alike", "till"), "Error", "is not the name of a tenant").await;
    world.expect_status(("Client", "alike", "till-2"), "Error", "printable ASCII").await;
    let snapshot = world.registry.current();
    assert_eq!(&*snapshot.tenant_by_host("shop.alike.example").unwrap().name, "alike/shop");
    assert_eq!(&*snapshot.tenant_by_host("xn--shp-ted.alike.example").unwrap().name, "alike/shop-2");
}

#[tokio::test]
async fn a_script_of_a_megabyte_is_read_and_costs_others_nothing() {
    let world = World::start().await;
    let words = "/* \u{2028} a line that YAML would break, and \u{85} one that it would fold */\n".repeat(16_000);
    assert!(words.len() > 1_000_000);
    let script = format!("{words}class UserLoginProvider {{}}");
    let spec = json!({ "hosts": ["large.mega.example"], "providers": [&script] });
    world.apply(tenant_with("mega", "large", spec)).await;
    world.apply(tenant("mega", "small", "small.mega.example")).await;
    world.expect_host("small.mega.example", 200).await;
    world.expect_status(("Tenant", "mega", "large"), "Ready", "").await;
    let snapshot = world.registry.current();
    assert_eq!(snapshot.tenant("mega/large").unwrap().script.as_deref(), Some(script.as_str()));
}
