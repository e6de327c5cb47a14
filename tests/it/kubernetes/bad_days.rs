//! An API server on bad days: what is served stays, the status tells, and nothing loops.

use std::fs;

use serde_json::json;

use super::*;
use crate::harness::api_server::Mood;

fn feeling(change: impl FnOnce(&mut Mood)) -> Mood {
    let mut mood = Mood::default();
    change(&mut mood);
    mood
}

#[tokio::test]
async fn a_watch_that_ends_every_second_misses_nothing_and_is_not_asked_for_more_often() {
    let world = World::start_played().await;
    world.api().feels(feeling(|mood| mood.ends_watches = Some(Duration::from_secs(1))));
    world.api().end_watches();
    for number in 0..4 {
        let host = format!("h{number}.example");
        world.apply(tenant("shop", "shop", &host)).await;
        world.expect_host(&host, 200).await;
        sleep(Duration::from_millis(700)).await;
    }
    assert_eq!(world.api().requests("tenants?list"), 1, "a closed watch goes on where it was");
    assert!(world.api().requests("tenants?watch") < 8);
}

#[tokio::test]
async fn a_watch_that_ends_at_once_does_not_flood_the_api_server() {
    let world = World::start_played().await;
    world.expect_ready().await;
    world.api().feels(feeling(|mood| mood.ends_watches = Some(Duration::ZERO)));
    world.api().end_watches();
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.expect_host("shop.example", 200).await;
    sleep(Duration::from_secs(5)).await;
    assert!(world.api().requests("?watch") <= 130, "{}", world.api().requests("?watch"));
}

#[tokio::test]
async fn an_api_server_that_refuses_changes_nothing_and_is_asked_less_and_less() {
    for code in [429, 410, 500, 401] {
        let world = World::start_played().await;
        world.apply(tenant("shop", "shop", "shop.example")).await;
        world.expect_host("shop.example", 200).await;
        world.api().feels(feeling(|mood| {
            mood.refuses_reads = Some(code);
            mood.ends_watches = Some(Duration::ZERO);
        }));
        // Whoever watches already goes on; the end of that is what a change brings about.
        world.api().end_watches();
        let before = world.api().requests("tenants?");
        sleep(Duration::from_secs(3)).await;
        let asked = world.api().requests("tenants?") - before;
        assert!((1..8).contains(&asked), "{code}: asked {asked} times");
        world.expect_host("shop.example", 200).await;
        world.expect_ready().await;
        world.apply(tenant("shop", "shop", "new.example")).await;
        world.api().feels(Mood::default());
        world.expect_host("new.example", 200).await;
    }
}

#[tokio::test]
async fn a_watch_that_fell_behind_begins_with_a_list_whichever_way_it_is_told() {
    for told in [feeling(|mood| mood.refuses_watches = Some(410)), feeling(|mood| mood.forgets = true)] {
        let world = World::start_played().await;
        world.expect_ready().await;
        world.api().feels(told);
        world.api().end_watches();
        world.apply(tenant("shop", "shop", "shop.example")).await;
        // Nobody watches, so only a list can have told.
        world.expect_host("shop.example", 200).await;
        assert!(world.api().requests("tenants?list") < 6);
        world.api().feels(Mood::default());
        world.apply(tenant("shop", "shop", "new.example")).await;
        world.expect_host("new.example", 200).await;
    }
}

#[tokio::test]
async fn a_tenant_that_was_made_anew_while_nobody_watched_is_as_young_as_that() {
    let world = World::start_played().await;
    world.apply(tenant("shop", "first", "one.example")).await;
    world.apply(tenant("shop", "second", "one.example")).await;
    world.expect_status(("Tenant", "shop", "second"), "Error", "already leads to").await;
    world.api().feels(feeling(|mood| mood.refuses_reads = Some(503)));
    world.api().end_watches();
    world.delete("Tenant", "shop", "first").await;
    world.apply(tenant("shop", "first", "one.example")).await;
    // The deletion is forgotten: only a list tells what there is.
    world.api().feels(feeling(|mood| mood.forgets = true));
    world.expect_status(("Tenant", "shop", "first"), "Error", "already leads to tenant \"shop/second\"").await;
    world.expect_status(("Tenant", "shop", "second"), "Ready", "").await;
}

#[tokio::test]
async fn a_server_whose_api_server_is_away_at_the_start_says_so_and_is_ready_once_it_is_there() {
    let api = ApiServer::start().await;
    api.feels(feeling(|mood| mood.refuses_reads = Some(404)));
    let world = World::start_with(Some(api), PathBuf::new(), None).await;
    let end = Instant::now() + SOON;
    loop {
        let answer = world.server.get("/health/ready").await.expect(503);
        if answer.body.contains("uitsmijter crds | kubectl apply") {
            break;
        }
        assert!(Instant::now() < end, "{answer:?}");
        sleep(Duration::from_millis(50)).await;
    }
    world.server.get("/health").await.expect(200);
    world.api().feels(Mood::default());
    // Without a tenant it serves nobody, and that is not a fault.
    world.expect_ready().await;
}

#[tokio::test]
async fn an_object_that_makes_no_sense_hides_no_other() {
    let api = ApiServer::start().await;
    let metadata = json!({ "namespace": "shop", "name": "strange", "labels": 5, "annotations": [], "finalizers": {} });
    for (name, object) in [
        ("one", json!({ "apiVersion": "uitsmijter.io/v2", "kind": "Tenant", "metadata": metadata, "spec": {} })),
        ("two", json!({ "kind": "Tenant", "metadata": { "namespace": "shop", "name": "two" }, "spec": 5 })),
        ("three", json!({ "kind": "Tenant", "metadata": { "namespace": "shop", "name": "three" } })),
        ("four", json!({ "kind": "Sheep", "metadata": { "namespace": "shop", "name": "four" }, "spec": "wool" })),
    ] {
        let mut object = object;
        object["metadata"]["name"] = name.into();
        api.plant("tenants", object);
    }
    api.plant("tenants", tenant("shop", "shop", "shop.example"));
    let world = World::start_with(Some(api), PathBuf::new(), None).await;
    world.expect_host("shop.example", 200).await;
    for (name, message) in
        [("one", "apiVersion"), ("two", "invalid type"), ("three", "config is missing"), ("four", "kind \"sheep\"")]
    {
        let end = Instant::now() + SOON;
        loop {
            let status = world.api().get("tenants", "shop", name)["status"].clone();
            if status["phase"] == "Error" && status["message"].as_str().unwrap().contains(message) {
                break;
            }
            assert!(Instant::now() < end, "{name}: {status}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_status_is_written_by_one_replica_and_only_when_something_changed() {
    let mut world = World::start_played().await;
    for number in 0..5 {
        world.apply(tenant("shop", &format!("t{number}"), &format!("h{number}.example"))).await;
    }
    world.second_replica().await;
    for number in 0..5 {
        world.expect_status(("Tenant", "shop", &format!("t{number}")), "Ready", "").await;
    }
    sleep(Duration::from_secs(3)).await;
    let written = world.api().requests("PATCH");
    assert_eq!(written, 5, "one for each");
    world.apply(tenant_with("shop", "t0", json!({}))).await;
    world.expect_status(("Tenant", "shop", "t0"), "Error", "hosts is missing").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.api().requests("PATCH"), 6);
}

#[tokio::test]
async fn a_secret_that_nobody_answers_for_holds_up_no_change() {
    let world = World::start_played().await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.apply(secret("shop", "till", json!({ "secret": "dGhlIGZpcnN0IHdvcmQK" }))).await;
    world.apply(client_with("shop", "till", "shop/shop", json!({ "secretRef": { "name": "till" } }))).await;
    world.expect_status(("Client", "shop", "till"), "Ready", "").await;
    world.api().feels(feeling(|mood| mood.hangs = Some("GET secrets/")));
    let asked = world.api().requests("GET secrets/till");
    let end = Instant::now() + SOON;
    while world.api().requests("GET secrets/till") == asked {
        assert!(Instant::now() < end, "it is read again now and then");
        sleep(TICK).await;
    }
    world.apply(tenant("shop", "other", "other.example")).await;
    world.expect_host("other.example", 200).await;
    // One that nobody has answered for yet is waited for, once and not for long.
    world.apply(client_with("shop", "late", "shop/shop", json!({ "secretRef": { "name": "late" } }))).await;
    world.expect_status(("Client", "shop", "late"), "Error", "cannot be read at the moment").await;
    world.apply(tenant("shop", "third", "third.example")).await;
    world.expect_host("third.example", 200).await;
    assert!(world.registry.current().client("shop/shop", "till").unwrap().secret.is_some());
}

#[tokio::test]
async fn a_server_whose_api_server_hangs_is_alive_and_says_what_it_waits_for() {
    let api = ApiServer::start().await;
    api.feels(feeling(|mood| mood.hangs = Some("clients?list")));
    let world = World::start_with(Some(api), PathBuf::new(), None).await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    let end = Instant::now() + SOON;
    loop {
        let answer = world.server.get("/health/ready").await.expect(503).json();
        if answer["waiting_for"] == "clients have not been listed yet" {
            break;
        }
        assert!(Instant::now() < end, "{answer}");
        sleep(Duration::from_millis(50)).await;
    }
    world.server.get("/health").await.expect(200);
}

/// How often a status was to be written, more than `before`, from the first time on.
async fn patches_within_three_seconds(world: &World, before: usize) -> usize {
    let end = Instant::now() + SOON;
    while world.api().requests("PATCH") == before {
        assert!(Instant::now() < end, "a status is to be written");
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_secs(3)).await;
    world.api().requests("PATCH") - before
}

#[tokio::test]
async fn a_status_that_hangs_or_may_wait_is_written_later_and_not_in_a_hurry() {
    let world = World::start_played().await;
    for mood in [feeling(|mood| mood.refuses_status = Some(("", 429))), feeling(|mood| mood.hangs = Some("/status"))] {
        world.api().feels(mood);
        let before = world.api().requests("PATCH");
        let name = format!("t{before}");
        world.apply(tenant("shop", &name, &format!("{name}.example"))).await;
        let asked = patches_within_three_seconds(&world, before).await;
        assert!(asked < 8, "{asked} in three seconds");
        world.api().feels(Mood::default());
        world.expect_status(("Tenant", "shop", &name), "Ready", "").await;
    }
}

#[tokio::test]
async fn a_status_that_the_api_server_does_not_take_is_tried_later_and_later() {
    let world = World::start_played().await;
    world.api().feels(feeling(|mood| mood.refuses_status = Some(("shop", 404))));
    world.apply(tenant("shop", "shop", "shop.example")).await;
    let asked = patches_within_three_seconds(&world, 0).await;
    assert!(asked < 5, "asked {asked} times");
    // Of a resource that changes it is tried at once.
    world.api().feels(Mood::default());
    world.apply(tenant("shop", "shop", "new.example")).await;
    world.expect_status(("Tenant", "shop", "shop"), "Ready", "").await;
}

#[tokio::test]
async fn the_status_is_written_by_another_replica_once_the_lease_of_the_first_is_over() {
    let mut world = World::start_played().await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.expect_status(("Tenant", "shop", "shop"), "Ready", "").await;
    world.tasks.shutdown().await;
    world.second_replica().await;
    world.apply(tenant("shop", "shop", "new.example")).await;
    sleep(TICK * 6).await;
    assert_eq!(world.status("Tenant", "shop", "shop").await["observedGeneration"], 1, "the first may still live");
    world.server.clock.advance(Duration::from_secs(91));
    expect_generation(&world, 2).await;
}

#[tokio::test]
async fn a_replica_that_stops_lets_another_write_the_status_at_once() {
    let mut world = World::start_played().await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.expect_status(("Tenant", "shop", "shop"), "Ready", "").await;
    world.tasks.shutdown().await;
    world.statuses[0].resign().await.unwrap();
    world.second_replica().await;
    world.apply(tenant("shop", "shop", "new.example")).await;
    expect_generation(&world, 2).await;
    // Whoever is not the one that writes gives nothing away.
    world.statuses[0].resign().await.unwrap();
    world.apply(tenant("shop", "shop", "newer.example")).await;
    expect_generation(&world, 3).await;
}

/// Waits until the status of the tenant `shop` is about this generation of it.
async fn expect_generation(world: &World, generation: i64) {
    let end = Instant::now() + SOON;
    while world.status("Tenant", "shop", "shop").await["observedGeneration"] != generation {
        assert!(Instant::now() < end, "the status is to be about generation {generation}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn metrics_tell_of_broken_documents_and_of_an_api_server_that_is_away() {
    let world = World::start_played().await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.expect_status(("Tenant", "shop", "shop"), "Ready", "").await;
    let metrics = world.server.get("/metrics").await.expect(200).body;
    assert!(metrics.contains("uitsmijter_registry_problems{kind=\"tenant\"} 0"), "{metrics}");
    assert!(metrics.contains("uitsmijter_cluster_failures_total 0"), "{metrics}");
    world.apply(tenant_with("shop", "shop", json!({}))).await;
    world.apply(client("shop", "till", "shop/none")).await;
    world.expect_status(("Client", "shop", "till"), "Error", "").await;
    let metrics = world.server.get("/metrics").await.expect(200).body;
    assert!(metrics.contains("uitsmijter_registry_problems{kind=\"tenant\"} 1"), "{metrics}");
    assert!(metrics.contains("uitsmijter_registry_problems{kind=\"client\"} 1"), "{metrics}");
    world.api().feels(feeling(|mood| mood.refuses_reads = Some(503)));
    world.api().end_watches();
    let end = Instant::now() + SOON;
    while world.server.get("/metrics").await.expect(200).body.contains("uitsmijter_cluster_failures_total 0") {
        assert!(Instant::now() < end, "a failed watch is counted");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_asked_for_keeps_its_value() {
    let world = World::start_played().await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.apply(secret("shop", "till", json!({ "secret": "dGhlIGZpcnN0IHdvcmQK" }))).await;
    world.apply(client_with("shop", "till", "shop/shop", json!({ "secretRef": { "name": "till" } }))).await;
    let till = ("Client", "shop", "till");
    world.expect_status(till, "Ready", "").await;
    world.api().feels(feeling(|mood| mood.refuses_secrets = Some(503)));
    sleep(TICK * 3).await;
    world.expect_status(till, "Ready", "").await;
    world.api().feels(feeling(|mood| mood.refuses_secrets = Some(403)));
    world.expect_status(till, "Error", "give the service account the right").await;
    assert!(world.registry.current().client("shop/shop", "till").unwrap().secret.is_some());
}

#[tokio::test]
async fn a_server_of_one_namespace_reads_no_other() {
    let world = World::start_scoped("own").await;
    world.apply(tenant("other", "shop", "other.example")).await;
    world.apply(tenant("own", "shop", "own.example")).await;
    world.expect_host("own.example", 200).await;
    world.expect_host("other.example", 404).await;
    assert_eq!(world.registry.current().tenant_count(), 1);
}

#[tokio::test]
async fn files_and_resources_are_served_together_and_a_file_wins() {
    let world = World::start_played().await;
    let tenants = world.folder.path().join("Resources/Configurations/Tenants");
    fs::create_dir_all(&tenants).unwrap();
    world.apply(tenant("shop", "shop", "both.example")).await;
    world.expect_host("both.example", 200).await;
    fs::write(tenants.join("a.yaml"), "name: file\nconfig:\n  hosts: [both.example, file.example]\n").unwrap();
    assert!(world.loader.reload(&world.registry));
    world.expect_host("file.example", 200).await;
    assert_eq!(&*world.registry.current().tenant_by_host("both.example").unwrap().name, "file");
    let shop = ("Tenant", "shop", "shop");
    world.expect_status(shop, "Error", "already leads to tenant \"file\"").await;
    fs::remove_file(tenants.join("a.yaml")).unwrap();
    assert!(world.loader.reload(&world.registry));
    world.expect_status(shop, "Ready", "").await;
}
