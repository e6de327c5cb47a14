//! What somebody tries who may write resources in one namespace, and nowhere else.

use serde_json::json;

use super::*;
use crate::harness::api_server::Mood;

/// Longer than a status takes to be told again.
const A_WHILE: Duration = Duration::from_secs(3);

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!("in the middle"), |inner, _| json!([inner]))
}

#[tokio::test]
async fn a_resource_that_is_nested_without_end_hides_no_other() {
    let world = World::start_played().await;
    world.expect_ready().await;
    let mut bad = tenant("evil", "deep", "deep.example");
    bad["spec"]["users"] = nested(300);
    // As an event of a watch, and then in a list.
    world.api().plant("tenants", bad);
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.expect_host("shop.example", 200).await;
    world.api().feels(Mood { forgets: true, ..Mood::default() });
    world.api().end_watches();
    sleep(Duration::from_secs(1)).await;
    world.api().feels(Mood::default());
    world.apply(tenant("shop", "shop", "new.example")).await;
    world.expect_host("new.example", 200).await;
    world.expect_host("deep.example", 404).await;
    let told = world.registry.problems();
    assert!(told.iter().any(|problem| problem.source == "kubernetes:evil/Tenant/deep"), "{told:?}");
}

#[tokio::test]
async fn a_resource_has_no_more_secrets_read_than_it_can_use() {
    let world = World::start_played().await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    let many: Value =
        (0..500).map(|n| (format!("k{n}"), json!({ "secretRef": { "name": format!("s{n}") } }))).collect();
    world.apply(client_with("shop", "greedy", "shop/shop", json!({ "jwks": many }))).await;
    world.expect_status(("Client", "shop", "greedy"), "Error", "jwks").await;
    assert_eq!(world.api().requests("secrets/"), 0);
}

#[tokio::test]
async fn the_name_of_a_secret_leads_to_no_other_namespace() {
    let world = World::start_played().await;
    world.apply(secret("bank", "vault", json!({ "secret": "dGhlaXJz" }))).await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    for (number, name) in
        ["../../bank/secrets/vault", "..", "a/../b", "vault?x=", "Vault", "a\nb", "%2e%2e"].iter().enumerate()
    {
        let named = format!("thief{number}");
        let more = json!({ "secretRef": { "name": name } });
        world.apply(client_with("shop", &named, "shop/shop", more)).await;
        world.expect_status(("Client", "shop", &named), "Error", "is not the name of a Secret").await;
    }
    assert_eq!(world.api().requests("GET secrets"), 1, "only the one who made it asked for it");
}

#[tokio::test]
async fn a_status_whose_figures_are_not_known_any_more_is_written_once() {
    let world = World::start_played().await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.apply(client("shop", "till", "shop/shop")).await;
    let status = world.expect_status(("Client", "shop", "till"), "Ready", "").await;
    assert_eq!(status["activeSessions"], 0);
    world.delete("Tenant", "shop", "shop").await;
    let status = world.expect_status(("Client", "shop", "till"), "Error", "is not the name of a tenant").await;
    assert_eq!(status.get("activeSessions"), None, "{status}");
    let written = world.api().requests("clients/till/status");
    sleep(A_WHILE).await;
    assert_eq!(world.api().requests("clients/till/status"), written);
}

#[tokio::test]
async fn one_resource_without_room_for_a_status_keeps_no_other_from_its_own() {
    let world = World::start_played().await;
    world.api().feels(Mood { refuses_status: Some(("full", 500)), ..Mood::default() });
    world.apply(tenant("evil", "full", "full.example")).await;
    for number in 0..8 {
        world.apply(tenant("shop", &format!("t{number}"), &format!("t{number}.example"))).await;
    }
    for number in 0..8 {
        world.expect_status(("Tenant", "shop", &format!("t{number}")), "Ready", "").await;
    }
}
