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
    // Another server over the same store.
    let registry = Registry::new(Default::default(), Vec::new());
    let check = |_: &str| Ok(());
    let loader = Arc::new(Loader::new(Folder::below(world.folder.path()), Arc::new(check), Vec::new()));
    let app = world.server.app.clone();
    world.replica(None, loader, registry, app).await;
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
