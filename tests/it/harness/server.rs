//! A whole server in the test: the real `App`, its routes without a socket, its clock and its store.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use tower::ServiceExt;
use uitsmijter::app::App;
use uitsmijter::clock::Clock;
use uitsmijter::endpoint;
use uitsmijter::key::replicas::heartbeat::Heartbeat;
use uitsmijter::key::replicas::presence::SETTLED;
use uitsmijter::random::SystemRandom;
use uitsmijter::registry::document::{Document, Kind};
use uitsmijter::registry::snapshot::Snapshot;
use uitsmijter::registry::{Problem, Registry};
use uitsmijter::settings::Settings;
use uitsmijter::store::Store;
use uitsmijter::store::memory::Memory;

use super::fakes::ManualClock;
use super::fixtures;
use super::redis::RedisServer;
use super::response::Answer;
use super::watched::Watched;

/// The host of the tenant `acme`.
pub(crate) const ACME: &str = "login.acme.example";
/// The host of the tenant `globex`.
pub(crate) const GLOBEX: &str = "login.globex.example";

/// A server and what the test controls of it.
pub(crate) struct TestServer {
    pub(crate) app: App,
    pub(crate) clock: ManualClock,
    router: Router,
    _redis: Option<RedisServer>,
}

impl TestServer {
    /// A server with the tenants and clients of `fixtures`.
    pub(crate) async fn start() -> Self {
        Self::start_with(&fixtures::documents(), &[]).await
    }

    /// A server with these documents and environment variables. With `STORE=redis` its store is a real Redis.
    pub(crate) async fn start_with(documents: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_changed(documents, environment, |_| {}).await
    }

    /// The same, with settings that no environment variable reaches.
    pub(crate) async fn start_changed(
        documents: &str,
        environment: &[(&str, &str)],
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::start_over(registry(documents), environment, change).await
    }

    /// The same, over a registry that somebody else keeps up to date.
    pub(crate) async fn start_over(
        registry: Registry,
        environment: &[(&str, &str)],
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let redis = match std::env::var("STORE").as_deref() {
            Ok("redis") => Some(RedisServer::start().await),
            _ => None,
        };
        let port = redis.as_ref().map(|redis| redis.port.to_string()).unwrap_or_default();
        let store = redis.as_ref().map(|_| [("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", port.as_str())]);
        let mut settings = fixtures::settings(&[store.unwrap_or_default().as_slice(), environment].concat());
        change(&mut settings);
        let clock = ManualClock::default();
        let app = App::open(settings, registry, Arc::new(clock.clone()), Arc::new(SystemRandom)).await.expect("an app");
        Self { router: endpoint::router(app.clone()), app, clock, _redis: redis }
    }

    /// The same server over a watched store. Keys are in another store and guesses are not counted, so that only the
    /// store operations of requests are seen.
    pub(crate) async fn start_watched(documents: &str) -> (Self, Arc<Watched>) {
        let protection = [("LOGIN_PROTECTION", "false")];
        let Self { app, clock, _redis, .. } = Self::start_with(documents, &protection).await;
        let watched = Arc::new(Watched::new(Arc::new(Memory::new(Arc::new(clock.clone())))));
        let app = app.over(Store::new(watched.clone(), Arc::new(clock.clone())));
        (Self { router: endpoint::router(app.clone()), app, clock, _redis }, watched)
    }

    /// Another process on the same store and clock, with other documents and settings: the next one after this one, or a
    /// replica beside it.
    pub(crate) async fn restarted(&self, documents: &str, environment: &[(&str, &str)]) -> Self {
        let (clock, settings) = (self.clock.clone(), fixtures::settings(environment));
        let store = self.app.store.clone();
        let app =
            App::over_store(settings, registry(documents), store, Arc::new(clock.clone()), Arc::new(SystemRandom));
        let app = app.await.expect("an app");
        Self { router: endpoint::router(app.clone()), app, clock, _redis: None }
    }

    /// Another replica over the same store, by the same clock.
    pub(crate) async fn beside(&self) -> Self {
        let (settings, clock) = (self.app.settings.as_ref().clone(), self.clock.clone());
        let registry = self.app.registry.clone();
        let app = App::open(settings, registry, Arc::new(clock.clone()), Arc::new(SystemRandom)).await.expect("an app");
        let app = app.over(self.app.store.clone());
        Self { router: endpoint::router(app.clone()), app, clock, _redis: None }
    }

    /// A replica of the version before appears beside this server, and lives for two minutes of the clock. From here on
    /// this server writes the old forms, as in a rolling upgrade.
    pub(crate) async fn meet_an_older_replica(&self) {
        let older = r#"{"replica":"older","started_at":0,"seen":0}"#;
        let older: Heartbeat = serde_json::from_str(older).expect("a heartbeat of the version before");
        older.beat(&self.app.store, self.clock.now()).await.expect("a heartbeat");
        self.app.services.keys.meet_replicas().await.expect("a look at the replicas");
    }

    /// That replica stops, and nobody goes back to its version: from here on this server writes the new forms.
    pub(crate) async fn lose_the_older_replica(&self) {
        self.app.store.remove::<Heartbeat>("older").await.expect("a store");
        self.clock.advance(SETTLED);
        self.app.services.keys.meet_replicas().await.expect("a look at the replicas");
    }

    /// Replaces all tenants and clients, as a reload does.
    pub(crate) fn declare(&self, documents: &str) {
        let (snapshot, problems) = built(documents);
        self.app.registry.replace(snapshot, problems);
    }

    /// Sends a request as it is; without a `Host` header it goes to the tenant `acme`.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, ACME.parse().expect("a host"));
        }
        Answer::of(self.router.clone().oneshot(request).await.expect("an answer")).await
    }

    /// `GET path`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// `GET path` at another host.
    pub(crate) async fn get_at(&self, host: &str, path: &str) -> Answer {
        self.send(Request::get(path).header(header::HOST, host).body(Body::empty()).expect("a request")).await
    }

    /// `POST path` with a form.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path, fields)).await
    }

    /// `GET path` with an access token.
    pub(crate) async fn get_with_token(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).expect("a request")).await
    }
}

/// A form as a request.
pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .expect("a request")
}

/// Tenants and clients from YAML; an error ends the test.
pub(crate) fn registry(documents: &str) -> Registry {
    let (snapshot, problems) = built(documents);
    Registry::new(snapshot, problems)
}

fn built(documents: &str) -> (Snapshot, Vec<Problem>) {
    let (snapshot, problems) = Snapshot::build(&read(documents), None, &|script| {
        uitsmijter::login::script::check(script).map(drop).map_err(|error| error.to_string())
    });
    let broken = problems.iter().any(|problem| problem.severity == uitsmijter::registry::Severity::Error);
    assert!(!broken, "{problems:#?}");
    (snapshot, problems)
}

fn read(documents: &str) -> Vec<Document> {
    // In files, tenants and clients lie in folders of their own; here a client is what names its tenant.
    let mut all = Vec::new();
    for text in documents.split("\n---\n").filter(|text| !text.trim().is_empty()) {
        let kind = if text.contains("tenantname:") { Kind::Client } else { Kind::Tenant };
        all.extend(Document::split("fixtures", Some(kind), text));
    }
    all
}
