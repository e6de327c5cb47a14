//! An application that the server calls: it responds as the test says and records what it receives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

/// A real HTTP server on a free port of this machine; it ends with the test's runtime.
pub(crate) struct Application {
    port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    bodies: Mutex<Vec<String>>,
    headers: Mutex<Vec<HeaderMap>>,
    answer: Mutex<(u16, String)>,
}

impl Application {
    /// An application that answers 200 and `body`.
    pub(crate) async fn start(body: &str) -> Self {
        let seen = Arc::new(Seen::default());
        *seen.answer.lock().expect("nobody panics here") = (200, body.to_owned());
        let router = Router::new().fallback(answer).with_state(seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, seen }
    }

    /// Where it listens.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers this from here on.
    pub(crate) fn answer(&self, status: u16, body: &str) {
        *self.seen.answer.lock().expect("nobody panics here") = (status, body.to_owned());
    }

    /// The bodies of all requests so far.
    pub(crate) fn received(&self) -> Vec<String> {
        self.seen.bodies.lock().expect("nobody panics here").clone()
    }

    /// The headers of all requests so far.
    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.seen.headers.lock().expect("nobody panics here").clone()
    }

    /// The bodies of all requests, once there are `count`.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<String> {
        for _ in 0..500 {
            if self.received().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let received = self.received();
        assert_eq!(received.len(), count, "{received:?}");
        received
    }
}

async fn answer(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    seen.headers.lock().expect("nobody panics here").push(headers);
    seen.bodies.lock().expect("nobody panics here").push(body);
    let (status, body) = seen.answer.lock().expect("nobody panics here").clone();
    (StatusCode::from_u16(status).expect("a status"), body)
}
