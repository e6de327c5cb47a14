//! Templates from buckets, over a fake store that counts requests and fails on demand. `tests/interop/bucket.rs` has
//! the same with a real one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uitsmijter::outgoing::backends::Backends;
use uitsmijter::page::views::follow_buckets;

use crate::harness::TestServer;
use crate::harness::lines::{self, Lines};
use crate::harness::server::ACME;

const PERIOD: Duration = Duration::from_millis(100);
const KEY: &str = "AKIAEXAMPLEEXAMPLE";

/// How the store answers a listing.
#[derive(Clone, Copy, Default)]
enum Mood {
    #[default]
    Well,
    Slow,
    Elsewhere,
    Endless,
    /// A page that a network shows in place of every answer.
    Portal,
    Garbage,
    Truncated,
    /// Repeats the access key of the request, as S3 does.
    Refusing,
}

#[derive(Clone, Default)]
struct Store(Arc<Inner>);

#[derive(Default)]
struct Inner {
    mood: Mutex<Mood>,
    objects: Mutex<BTreeMap<String, String>>,
    listings: AtomicUsize,
    fetches: AtomicUsize,
    elsewhere: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Store {
    /// Starts the store; returns it with its port.
    async fn start() -> (Self, u16) {
        let store = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let routes = Router::new().fallback(answer).with_state(store.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (store, port)
    }

    fn put(&self, name: &str, source: &str) {
        self.0.objects.lock().expect("objects").insert(name.to_owned(), source.to_owned());
    }

    fn set(&self, mood: Mood) {
        *self.0.mood.lock().expect("a mood") = mood;
    }

    fn asked(&self) -> (usize, usize) {
        (self.0.listings.load(Ordering::Relaxed), self.0.fetches.load(Ordering::Relaxed))
    }

    fn listing(&self, truncated: bool) -> String {
        let mut xml = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
        if truncated {
            xml.push_str("<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>");
        }
        for (name, source) in self.0.objects.lock().expect("objects").iter() {
            let (size, tag) = (source.len(), uitsmijter::store::digest_of(source.as_bytes()));
            xml.push_str(&format!(
                "<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"{tag}\"</ETag>\
                 <Size>{size}</Size></Contents>"
            ));
        }
        xml + "</ListBucketResult>"
    }
}

async fn answer(State(store): State<Store>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if path.starts_with("/elsewhere") {
        store.0.elsewhere.fetch_add(1, Ordering::Relaxed);
        return store.listing(false).into_response();
    }
    if !request.uri().query().unwrap_or_default().contains("list-type=2") {
        store.0.fetches.fetch_add(1, Ordering::Relaxed);
        let name = path.rsplit('/').next().unwrap_or_default();
        let source = store.0.objects.lock().expect("objects").get(name).cloned();
        return source.ok_or(StatusCode::NOT_FOUND).into_response();
    }
    store.0.listings.fetch_add(1, Ordering::Relaxed);
    let mood = *store.0.mood.lock().expect("a mood");
    match mood {
        Mood::Well => store.listing(false).into_response(),
        Mood::Slow => {
            let now = store.0.now.fetch_add(1, Ordering::SeqCst) + 1;
            store.0.most.fetch_max(now, Ordering::SeqCst);
            sleep(PERIOD).await;
            store.0.now.fetch_sub(1, Ordering::SeqCst);
            store.listing(false).into_response()
        }
        Mood::Elsewhere => (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response(),
        Mood::Endless => {
            let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'<'; 65_536]));
            Body::from_stream(chunks).into_response()
        }
        Mood::Portal => axum::response::Html("<html>Hello</html>").into_response(),
        Mood::Garbage => "{}".into_response(),
        Mood::Truncated => store.listing(true).into_response(),
        Mood::Refusing => {
            let body = format!("<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>");
            (StatusCode::FORBIDDEN, body).into_response()
        }
    }
}

fn tenant(name: &str, host: &str, port: u16) -> String {
    format!(
        "name: {name}\nconfig:\n  hosts: [{host}]\n  templates: {{host: 'http://127.0.0.1:{port}', bucket: pages, \
         access_key_id: {KEY}, secret_access_key: a-secret}}\n"
    )
}

/// The server with its task that reads buckets, which ends with the test.
async fn reading(documents: &str) -> (TestServer, JoinHandle<()>) {
    let server = TestServer::start_with(documents, &[]).await;
    let reader =
        follow_buckets::follow(server.app.views.clone(), server.app.registry.clone(), PERIOD, Backends::default());
    (server, tokio::spawn(reader))
}

/// Waits until a condition holds.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(Duration::from_secs(20), wait).await.is_ok(), "{what} did not come about");
}

async fn shown(server: &TestServer) -> String {
    server.get_at(ACME, "/").await.expect_page(200).body
}

#[tokio::test]
async fn an_unchanged_bucket_costs_one_listing_and_a_change_one_object() {
    let (store, port) = Store::start().await;
    store.put("index.html", "<h1>One</h1>{% include 'mark.html' %}");
    store.put("mark.html", "!");
    store.put("logo.svg", "<svg/>");
    let (server, _reader) = reading(&tenant("acme", ACME, port)).await;
    until("the page", async || shown(&server).await == "<h1>One</h1>!").await;
    let (listings, fetches) = store.asked();
    assert_eq!(fetches, 2);
    until("five more readings", async || store.asked().0 >= listings + 5).await;
    assert_eq!(store.asked().1, 2);
    store.put("mark.html", "?");
    until("the change", async || shown(&server).await == "<h1>One</h1>?").await;
    assert_eq!(store.asked().1, 3);
    let before = store.asked();
    for _ in 0..20 {
        shown(&server).await;
    }
    assert!(store.asked().1 == 3 && store.asked().0 <= before.0 + 5, "requests ask the store");
}

#[tokio::test]
async fn a_file_of_the_bucket_wins_over_the_folders_and_that_over_the_default() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path().join("Resources/Views/acme");
    let write = |name: &str, source: &str| std::fs::write(folder.join(name), source).expect("a file");
    std::fs::create_dir_all(&folder).expect("a folder");
    write("index.html", "<h1>Folder</h1>");
    write("mark.html", "folder's mark");
    let (store, port) = Store::start().await;
    let path = directory.path().to_str().expect("a path");
    let server = TestServer::start_with(&tenant("acme", ACME, port), &[("DIRECTORY", path)]).await;
    assert_eq!(shown(&server).await, "<h1>Folder</h1>");
    store.put("index.html", "<h1>Bucket</h1>{% include 'mark.html' %}");
    let reader =
        follow_buckets::follow(server.app.views.clone(), server.app.registry.clone(), PERIOD, Backends::default());
    let reader = tokio::spawn(reader);
    until("the bucket", async || shown(&server).await == "<h1>Bucket</h1>folder's mark").await;
    write("mark.html", "another mark");
    server.app.views.reload().expect("views");
    assert_eq!(shown(&server).await, "<h1>Bucket</h1>another mark");
    store.put("index.html", "{% if %}");
    until("the folder's page", async || shown(&server).await == "<h1>Folder</h1>").await;
    reader.abort();
}

#[tokio::test]
async fn the_last_good_copy_stays_when_the_store_misbehaves() {
    lines::heed_every_thread();
    let lines = Lines::default();
    let log = tracing_subscriber::fmt().with_writer(lines.clone()).with_max_level(tracing::Level::DEBUG).finish();
    let _guard = tracing::subscriber::set_default(log);
    let (store, port) = Store::start().await;
    store.put("index.html", "<h1>Good</h1>");
    let (server, _reader) = reading(&tenant("acme", ACME, port)).await;
    until("the page", async || shown(&server).await == "<h1>Good</h1>").await;
    let log = || String::from_utf8_lossy(&lines.0.lock().expect("lines")).into_owned();
    store.put("index.html", "<h1>Never seen</h1>");
    for (mood, told) in [
        (Mood::Elsewhere, "the store answers with the status 307"),
        (Mood::Endless, "the answer cannot be read: length limit exceeded"),
        (Mood::Portal, "the answer cannot be read: it is a page, not a listing"),
        (Mood::Garbage, "the store does not answer as one that speaks S3"),
        (Mood::Truncated, "more than 1000 objects lie there"),
        (Mood::Refusing, "(InvalidAccessKeyId)"),
    ] {
        store.set(mood);
        until(told, async || log().contains(told)).await;
        assert_eq!(shown(&server).await, "<h1>Good</h1>", "{told}");
    }
    assert_eq!(store.0.elsewhere.load(Ordering::Relaxed), 0, "a redirect was followed");
    assert!(!log().contains(KEY) && !log().contains("a-secret"), "{}", log());
    (0..33).for_each(|n| store.put(&format!("{n}.html"), "x"));
    store.set(Mood::Well);
    until("a message", async || log().contains("there are more than 32 templates")).await;
    assert_eq!(shown(&server).await, "<h1>Good</h1>");
}

#[tokio::test]
async fn eight_buckets_are_read_at_once_and_tenants_without_one_not_at_all() {
    let (store, port) = Store::start().await;
    store.set(Mood::Slow);
    store.put("index.html", "<h1>Own</h1>");
    let mut documents = (0..40).map(|n| tenant(&format!("t{n}"), &format!("t{n}.example"), port)).collect::<Vec<_>>();
    documents.extend((40..60).map(|n| format!("name: t{n}\nconfig:\n  hosts: [t{n}.example]\n")));
    let (server, _reader) = reading(&documents.join("\n---\n")).await;
    let own =
        async |n: usize| server.get_at(&format!("t{n}.example"), "/").await.expect_page(200).body == "<h1>Own</h1>";
    until("the last page", async || own(39).await).await;
    assert_eq!(store.0.most.load(Ordering::SeqCst), 8);
    assert!(!own(40).await && !own(59).await);
}
