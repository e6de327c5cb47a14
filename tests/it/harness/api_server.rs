//! A fake API server: list, watch, write, status and Secrets, as far as the server uses them, with failures that a real
//! one has on bad days.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Its failures.
#[derive(Clone, Default)]
pub(crate) struct Mood {
    /// Every list and watch of tenants and clients is answered with this.
    pub(crate) refuses_reads: Option<u16>,
    /// Every watch is answered with this.
    pub(crate) refuses_watches: Option<u16>,
    /// Every watch ends after this time.
    pub(crate) ends_watches: Option<Duration>,
    /// Every watch ends at once with the event that it fell behind.
    pub(crate) forgets: bool,
    /// Every request for a Secret is answered with this.
    pub(crate) refuses_secrets: Option<u16>,
    /// Every request whose method and path contain this is never answered.
    pub(crate) hangs: Option<&'static str>,
    /// Every status of a resource with this in its name is answered with this.
    pub(crate) refuses_status: Option<(&'static str, u16)>,
}

#[derive(Default)]
struct Inner {
    mood: Mood,
    /// A watch ends when the era in which it began does.
    era: u64,
    version: u64,
    /// By plural, namespace and name.
    objects: BTreeMap<(String, String, String), Value>,
    log: Vec<(u64, String, Value)>,
    requests: Vec<String>,
}

/// The API server; it ends with the value.
pub(crate) struct ApiServer {
    pub(crate) port: u16,
    shared: Shared,
    task: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Shared(Arc<(Mutex<Inner>, Notify)>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.0.lock().unwrap()
    }
}

impl ApiServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared::default();
        let routes = Router::new()
            .route("/apis/uitsmijter.io/v1/{plural}", any(all))
            .route("/apis/uitsmijter.io/v1/namespaces/{namespace}/{plural}", any(of_namespace))
            .route("/api/v1/namespaces/{namespace}/{plural}", any(of_namespace))
            .route("/apis/uitsmijter.io/v1/namespaces/{namespace}/{plural}/{name}", any(one))
            .route("/api/v1/namespaces/{namespace}/{plural}/{name}", any(one))
            .route("/apis/uitsmijter.io/v1/namespaces/{namespace}/{plural}/{name}/status", any(status))
            .with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { port, shared, task }
    }

    pub(crate) fn feels(&self, mood: Mood) {
        self.shared.lock().mood = mood;
    }

    /// How many requests there were whose method and path contain `part`.
    pub(crate) fn requests(&self, part: &str) -> usize {
        self.shared.lock().requests.iter().filter(|request| request.contains(part)).count()
    }

    /// Ends every watch that is under way.
    pub(crate) fn end_watches(&self) {
        self.shared.lock().era += 1;
        self.shared.0.1.notify_waiters();
    }

    /// One object as it is.
    pub(crate) fn get(&self, plural: &str, namespace: &str, name: &str) -> Value {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        self.shared.lock().objects[&key].clone()
    }

    /// Stores an object unchecked, however wrong.
    pub(crate) fn plant(&self, plural: &str, object: Value) {
        self.shared.put(plural, object);
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Parameters = Query<BTreeMap<String, String>>;

async fn all(
    State(shared): State<Shared>,
    Path(plural): Path<String>,
    method: Method,
    Query(parameters): Parameters,
) -> Response {
    shared.read(method, &plural, None, &parameters).await
}

async fn of_namespace(
    State(shared): State<Shared>,
    Path((namespace, plural)): Path<(String, String)>,
    method: Method,
    Query(parameters): Parameters,
    body: Bytes,
) -> Response {
    if method != Method::POST {
        return shared.read(method, &plural, Some(&namespace), &parameters).await;
    }
    let mut object: Value = serde_json::from_slice(&body).unwrap();
    object["metadata"]["namespace"] = namespace.as_str().into();
    Json(shared.put(&plural, object)).into_response()
}

async fn one(
    State(shared): State<Shared>,
    Path((namespace, plural, name)): Path<(String, String, String)>,
    method: Method,
    body: Bytes,
) -> Response {
    shared.note(&method, &format!("{plural}/{name}")).await;
    let key = (plural.clone(), namespace, name);
    match method {
        Method::PUT => Json(shared.put(&plural, serde_json::from_slice(&body).unwrap())).into_response(),
        Method::DELETE => shared.remove(&key),
        _ => {
            let inner = shared.lock();
            match (inner.mood.refuses_secrets.filter(|_| plural == "secrets"), inner.objects.get(&key)) {
                (Some(code), _) => refuse(code),
                (None, Some(object)) => Json(object.clone()).into_response(),
                (None, None) => refuse(404),
            }
        }
    }
}

async fn status(
    State(shared): State<Shared>,
    Path((namespace, plural, name)): Path<(String, String, String)>,
    method: Method,
    body: Bytes,
) -> Response {
    shared.note(&method, &format!("{plural}/{name}/status")).await;
    if let Some((_, code)) = shared.lock().mood.refuses_status.filter(|(refused, _)| name.contains(refused)) {
        return refuse(code);
    }
    let patch: Value = serde_json::from_slice(&body).unwrap();
    let key = (plural.clone(), namespace, name);
    let Some(mut object) = shared.lock().objects.get(&key).cloned() else { return refuse(404) };
    for (member, value) in patch["status"].as_object().unwrap() {
        match value {
            Value::Null => drop(object["status"].as_object_mut().and_then(|status| status.remove(member))),
            value => object["status"][member] = value.clone(),
        }
    }
    Json(shared.store(&plural, key, object, "MODIFIED")).into_response()
}

fn refuse(code: u16) -> Response {
    let reason = if code == 404 { "NotFound" } else { "Test" };
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason });
    (StatusCode::from_u16(code).unwrap(), Json(body)).into_response()
}

impl Shared {
    async fn note(&self, method: &Method, path: &str) {
        let request = format!("{method} {path}");
        let hangs = self.lock().mood.hangs.is_some_and(|hangs| request.contains(hangs));
        self.lock().requests.push(request);
        if hangs {
            std::future::pending::<()>().await;
        }
    }

    fn put(&self, plural: &str, mut object: Value) -> Value {
        let metadata = &object["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        let key = (plural.to_owned(), text("namespace"), text("name"));
        let old = self.lock().objects.get(&key).cloned();
        let seconds = self.lock().version;
        let created = format!("2026-01-01T00:{:02}:{:02}Z", seconds / 60, seconds % 60);
        let (created, generation, status) = match &old {
            Some(old) => {
                let is_changed = i64::from(old["spec"] != object["spec"]);
                let generation = old["metadata"]["generation"].as_i64().unwrap() + is_changed;
                (old["metadata"]["creationTimestamp"].clone(), generation, old["status"].clone())
            }
            None => (created.into(), 1, Value::Null),
        };
        object["metadata"]["creationTimestamp"] = created;
        object["metadata"]["generation"] = generation.into();
        if !status.is_null() {
            object["status"] = status;
        }
        self.store(plural, key, object, if old.is_some() { "MODIFIED" } else { "ADDED" })
    }

    fn store(&self, plural: &str, key: (String, String, String), mut object: Value, event: &str) -> Value {
        let mut inner = self.lock();
        inner.version += 1;
        let version = inner.version;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        inner.objects.insert(key, object.clone());
        inner.log.push((version, plural.to_owned(), json!({ "type": event, "object": object })));
        self.0.1.notify_waiters();
        object
    }

    fn remove(&self, key: &(String, String, String)) -> Response {
        let mut inner = self.lock();
        let Some(mut object) = inner.objects.remove(key) else { return refuse(404) };
        inner.version += 1;
        let version = inner.version;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        inner.log.push((version, key.0.clone(), json!({ "type": "DELETED", "object": object })));
        self.0.1.notify_waiters();
        Json(object).into_response()
    }

    async fn read(
        &self,
        method: Method,
        plural: &str,
        namespace: Option<&str>,
        asked: &BTreeMap<String, String>,
    ) -> Response {
        let is_watch = asked.get("watch").is_some_and(|watch| watch == "true");
        self.note(&method, &format!("{plural}?{}", if is_watch { "watch" } else { "list" })).await;
        let inner = self.lock();
        let refused = inner.mood.refuses_reads.or(inner.mood.refuses_watches.filter(|_| is_watch));
        if let Some(code) = refused {
            return refuse(code);
        }
        if is_watch {
            let from = asked.get("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
            let mood = inner.mood.clone();
            drop(inner);
            return self.watch(plural.to_owned(), namespace.map(str::to_owned), from, mood);
        }
        let is_asked = |(own_plural, own_namespace, _): &(String, String, String)| {
            own_plural == plural && namespace.is_none_or(|namespace| own_namespace == namespace)
        };
        let from: usize = asked.get("continue").map_or(0, |from| from.parse().unwrap());
        let limit: usize = asked.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
        let found: Vec<&Value> =
            inner.objects.iter().filter(|(key, _)| is_asked(key)).map(|(_, object)| object).collect();
        let page: Vec<&&Value> = found.iter().skip(from).take(limit).collect();
        let rest = from.saturating_add(limit) < found.len();
        let next = if rest { (from + limit).to_string() } else { String::new() };
        let metadata = json!({ "resourceVersion": inner.version.to_string(), "continue": next });
        Json(json!({ "kind": "List", "apiVersion": "uitsmijter.io/v1", "metadata": metadata, "items": page }))
            .into_response()
    }

    fn watch(&self, plural: String, namespace: Option<String>, from: u64, mood: Mood) -> Response {
        let end = mood.ends_watches.map(|life| Instant::now() + life);
        let era = self.lock().era;
        let begin = (self.clone(), from, mood.forgets);
        let events = futures_util::stream::unfold(begin, move |(shared, last, forgets)| {
            let (plural, namespace) = (plural.clone(), namespace.clone());
            async move {
                if forgets {
                    let gone = json!({ "kind": "Status", "code": 410, "status": "Failure", "reason": "Expired", "message": "too old" });
                    let line = format!("{}\n", json!({ "type": "ERROR", "object": gone }));
                    return Some((Ok::<_, Infallible>(Bytes::from(line)), (shared, u64::MAX, false)));
                }
                if last == u64::MAX {
                    return None;
                }
                loop {
                    let mut news = pin!(shared.0.1.notified());
                    // From here on no notification is missed.
                    news.as_mut().enable();
                    if shared.lock().era != era {
                        return None;
                    }
                    let next = shared.next(&plural, namespace.as_deref(), last);
                    if let Some((version, event)) = next {
                        // In the order of a real one.
                        let line = format!("{{\"type\":{},\"object\":{}}}\n", event["type"], event["object"]);
                        return Some((Ok(Bytes::from(line)), (shared.clone(), version, false)));
                    }
                    match end {
                        None => news.await,
                        Some(end) => timeout_at(end, news).await.ok()?,
                    }
                }
            }
        });
        Response::new(Body::from_stream(events))
    }

    fn next(&self, plural: &str, namespace: Option<&str>, last: u64) -> Option<(u64, Value)> {
        let inner = self.lock();
        let matches =
            |event: &Value| namespace.is_none_or(|namespace| event["object"]["metadata"]["namespace"] == *namespace);
        let found = inner.log.iter().find(|(version, own, event)| *version > last && own == plural && matches(event));
        found.map(|(version, _, event)| (*version, event.clone()))
    }
}
