//! What is refused before it is stored, and what is let pass.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;
use tower::ServiceExt;
use uitsmijter::endpoint::webhook::{Judge, router};

use super::*;
use crate::harness::response::Answer;

impl World {
    async fn ask(&self, body: String) -> Answer {
        self.ask_with(Body::from(body)).await
    }

    async fn ask_with(&self, body: Body) -> Answer {
        let judge = Judge {
            loader: self.loader.clone(),
            registry: self.registry.clone(),
            settings: self.server.app.settings.clone(),
        };
        let request = Request::post("/validate").header(header::CONTENT_TYPE, "application/json").body(body);
        Answer::of(router(judge).oneshot(request.unwrap()).await.unwrap()).await
    }

    /// The answer to a review: whether it is allowed, and the sentence.
    async fn review(&self, operation: &str, object: Value, more: Value) -> (bool, String) {
        let response = self.reviewed(operation, object, more).await;
        (response["allowed"].as_bool().unwrap(), response["status"]["message"].as_str().unwrap_or_default().to_owned())
    }

    /// The whole answer to a review.
    async fn reviewed(&self, operation: &str, object: Value, more: Value) -> Value {
        let kind = object["kind"].as_str().unwrap_or("Tenant").to_owned();
        let resource = format!("{}s", kind.to_lowercase());
        let mut request = json!({
            "uid": "a-uid",
            "kind": { "group": "uitsmijter.io", "version": "v1", "kind": kind },
            "resource": { "group": "uitsmijter.io", "version": "v1", "resource": resource },
            "name": object["metadata"]["name"].as_str().unwrap_or("shop"),
            "namespace": object["metadata"]["namespace"],
            "operation": operation,
            "userInfo": {},
            "object": object,
        });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request });
        let answer = self.ask(review.to_string()).await.expect(200).json();
        assert_eq!(answer["kind"], "AdmissionReview", "{answer}");
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1", "{answer}");
        let response = &answer["response"];
        assert_eq!(response["uid"], "a-uid");
        response.clone()
    }

    async fn refused(&self, object: Value) -> String {
        let (allowed, message) = self.review("CREATE", object.clone(), json!({})).await;
        assert!(!allowed, "{object} is refused");
        message
    }

    async fn allowed(&self, operation: &str, object: Value, more: Value) {
        let (allowed, message) = self.review(operation, object.clone(), more).await;
        assert!(allowed, "{object}: {message}");
    }
}

#[tokio::test]
async fn what_check_would_refuse_is_refused_with_its_sentence() {
    let world = World::start_played().await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.apply(tenant("new", "newer", "newer.example")).await;
    world.expect_host("shop.example", 200).await;
    world.expect_host("newer.example", 200).await;

    world.allowed("CREATE", tenant("shop", "good", "good.example"), json!({})).await;
    world.allowed("UPDATE", tenant("shop", "shop", "shop.example"), json!({})).await;
    world.allowed("CREATE", client("shop", "till", "shop/shop"), json!({})).await;
    assert!(world.refused(tenant("thief", "shop", "shop.example")).await.contains("already leads to tenant"));
    assert!(world.refused(client("thief", "till", "shop/shop")).await.contains("does not take clients of namespace"));
    assert!(world.refused(tenant_with("a", "b", json!({ "hosts": [{ "x": 1 }] }))).await.contains("spec.hosts"));
    let script = json!({ "hosts": ["c.example"], "providers": ["class {"] });
    assert!(world.refused(tenant_with("a", "c", script)).await.starts_with("providers: "));
    let by_secret = json!({ "hosts": ["d.example"], "jwt_algorithm": "HS256" });
    assert!(world.refused(tenant_with("a", "d", by_secret)).await.contains("JWT_SECRET is missing"));
    assert!(world.refused(client_with("shop", "e", "shop/shop", json!({ "jwks": 5 }))).await.contains("jwks"));

    // Whoever came first would win, and take away what others have.
    let greedy = tenant_with("shop", "shop", json!({ "hosts": ["shop.example", "newer.example"] }));
    let (allowed, message) = world.review("UPDATE", greedy, json!({})).await;
    assert!(!allowed && message.contains("tenant new/newer would go"), "{message}");
}

#[tokio::test]
async fn a_client_and_its_tenant_may_be_applied_together_in_any_order() {
    let world = World::start_played().await;
    world.expect_ready().await;
    let response = world.reviewed("CREATE", client("shop", "till", "shop/shop"), json!({})).await;
    assert_eq!(response["allowed"], true, "{response}");
    let warnings = response["warnings"].as_array().cloned().unwrap_or_default();
    let warns =
        |text: &str| warnings.iter().any(|warning| warning.as_str().is_some_and(|warning| warning.contains(text)));
    assert!(warns("tenantname \"shop/shop\" is not the name of a tenant"), "{response}");
    world.allowed("CREATE", tenant("shop", "shop", "shop.example"), json!({})).await;
    world.apply(client("shop", "till", "shop/shop")).await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.expect_status(("Client", "shop", "till"), "Ready", "").await;
    // What is wrong with the client itself is refused all the same.
    let broken = json!({ "grant_types": ["everything"] });
    assert!(world.refused(client_with("shop", "other", "shop/later", broken)).await.contains("everything"));
}

#[tokio::test]
async fn whoever_ends_a_conflict_robs_nobody_who_was_not_served() {
    let world = World::start_played().await;
    let claimed = || json!({ "hosts": ["own.example", "claimed.example"] });
    world.apply(tenant_with("a", "first", claimed())).await;
    world.apply(tenant("b", "second", "claimed.example")).await;
    world.apply(tenant("c", "third", "claimed.example")).await;
    let third = ("Tenant", "c", "third");
    world.expect_status(third, "Error", "already leads to tenant \"a/first\"").await;
    world.allowed("UPDATE", tenant("a", "first", "own.example"), json!({})).await;
    world.apply(tenant("a", "first", "own.example")).await;
    world.expect_status(third, "Error", "already leads to tenant \"b/second\"").await;
    // From here on the second is served, and the first would rob it.
    let (allowed, message) = world.review("UPDATE", tenant_with("a", "first", claimed()), json!({})).await;
    assert!(!allowed && message.contains("tenant b/second would go"), "{message}");
    assert!(!message.contains("c/third"), "{message}");
}

#[tokio::test]
async fn an_older_client_cannot_take_the_client_id_of_a_newer_one() {
    let world = World::start_played().await;
    world.apply(tenant("evil", "evil", "evil.example")).await;
    world.apply(client("evil", "placeholder", "evil/evil")).await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.apply(client("shop", "till", "shop/shop")).await;
    world.expect_status(("Client", "shop", "till"), "Ready", "").await;
    let thief = client_with("evil", "placeholder", "evil/evil", json!({ "ident": "till" }));
    let (allowed, message) = world.review("UPDATE", thief, json!({})).await;
    assert!(!allowed && message.contains("client shop/till would go"), "{message}");
}

#[tokio::test]
async fn whoever_sends_a_review_byte_by_byte_is_not_waited_for() {
    let world = World::start_played().await;
    let never = futures_util::stream::pending::<Result<axum::body::Bytes, std::convert::Infallible>>();
    let asked = Instant::now();
    world.ask_with(Body::from_stream(never)).await.expect(503);
    assert!(asked.elapsed() < Duration::from_secs(12));
}

#[tokio::test]
async fn deleting_statuses_and_secrets_that_are_still_to_come_are_nobodys_business() {
    let world = World::start_played().await;
    world.apply(tenant("shop", "shop", "shop.example")).await;
    world.expect_host("shop.example", 200).await;
    let broken = tenant_with("shop", "shop", json!({}));
    world.allowed("UPDATE", broken.clone(), json!({ "subResource": "status" })).await;
    world.allowed("DELETE", Value::Null, json!({ "oldObject": broken.clone() })).await;
    let mut going = broken;
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    world.allowed("UPDATE", going, json!({})).await;
    let to_come = json!({ "secretRef": { "name": "later", "key": "word" } });
    world.allowed("CREATE", client_with("shop", "till", "shop/shop", to_come), json!({})).await;
}

#[tokio::test]
async fn what_is_no_review_is_no_error_of_ours() {
    let world = World::start_played().await;
    for body in ["", "{}", "[]", "\u{0}", r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#] {
        world.ask(body.to_owned()).await.expect(400);
    }
}
