//! A user store for scripts to talk to, with good and bad manners.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::PASSWORD;

/// Starts the store; gives the address of its root, without a slash at the end.
pub(super) async fn start() -> String {
    let routes = Router::new()
        .route("/validate-login", post(validate))
        .route("/slow/{millis}", any(slow))
        .route("/echo", any(echo))
        .route("/status/{code}", any(status))
        .route("/big", get(big))
        .route("/large", get(|| async { "x".repeat(900 << 10) }))
        .route("/circle", get(|| async { Redirect::temporary("/circle") }))
        .route("/moved/{code}", any(moved))
        .route("/hops/{left}", get(hops))
        .route("/elsewhere", get(|| async { Redirect::temporary("ftp://127.0.0.1/") }));
    serve(routes).await
}

/// A store that counts its visitors.
pub(super) async fn start_counting() -> (String, Arc<AtomicUsize>) {
    let visits = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&visits);
    let visit = move || async move {
        count.fetch_add(1, Ordering::Relaxed);
    };
    (serve(Router::new().route("/", get(visit))).await, visits)
}

async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the port");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

/// A server that answers each connection with these bytes and hangs up.
pub(super) async fn start_raw(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the port");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    format!("http://{address}")
}

/// An address where nobody listens.
pub(super) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("the port");
    format!("http://{address}")
}

async fn validate(body: axum::Json<Value>) -> Response {
    if body.0 == json!({"username": "ada", "passwordHash": digest()}) {
        return axum::Json(json!({"name": "Ada", "password_length": PASSWORD.len()})).into_response();
    }
    StatusCode::UNAUTHORIZED.into_response()
}

fn digest() -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, PASSWORD.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn slow(Path(millis): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    "at last"
}

async fn echo(method: Method, RawQuery(query): RawQuery, headers: HeaderMap, body: String) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let seen = json!({
        "method": method.as_str(),
        "query": query,
        "body": body,
        "type": text("content-type"),
        "authorization": text("authorization"),
        "trace": text("x-trace"),
    });
    ([("x-seen", "yes")], axum::Json(seen)).into_response()
}

async fn status(Path(code): Path<u16>) -> Response {
    (StatusCode::from_u16(code).expect("a status"), "no luck").into_response()
}

async fn big() -> Response {
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let chunks = futures_util::stream::iter((0..160).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    Body::from_stream(chunks).into_response()
}

async fn moved(Path(code): Path<u16>) -> Response {
    let status = StatusCode::from_u16(code).expect("a status");
    (status, [(header::LOCATION, "/echo?moved")]).into_response()
}

async fn hops(Path(left): Path<u32>) -> Response {
    match left.checked_sub(1) {
        Some(left) => Redirect::temporary(&format!("/hops/{left}")).into_response(),
        None => "arrived".into_response(),
    }
}
