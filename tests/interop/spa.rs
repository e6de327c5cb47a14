//! A static web server for the single page application in `spa/`, on an origin that is not the server's.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Json};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The reserved port of the application, before it is served.
pub(crate) struct Place {
    listener: TcpListener,
    /// Scheme, host and port, without a slash at the end.
    pub(crate) origin: String,
}

impl Place {
    /// Reserves a free port. Named `localhost` where the server is `127.0.0.1`: to a browser these are two sites.
    pub(crate) async fn reserve() -> Self {
        Self::reserve_at("localhost").await
    }

    /// The same at another name of this machine.
    pub(crate) async fn reserve_at(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("the listener's address").port();
        Self { listener, origin: format!("http://{host}:{port}") }
    }

    /// Serves the application for this issuer until the test ends.
    pub(crate) fn serve(self, issuer: &str) {
        self.serve_with(json!({ "authority": issuer, "client_id": "spa" }));
    }

    /// The same with other settings of the library's `UserManager`.
    pub(crate) fn serve_with(self, settings: Value) {
        let library = script(&sources().join("browser/node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"));
        let application = script(&sources().join("spa/app.js"));
        let page = Html(read(&sources().join("spa/index.html")));
        let settings = Json(settings);
        let router = Router::new()
            .route("/", get(move || async { page }))
            .route("/app.js", get(move || async { application }))
            .route("/oidc-client-ts.js", get(move || async { library }))
            .route("/settings.json", get(move || async { settings }));
        tokio::spawn(async move { axum::serve(self.listener, router).await });
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

fn script(path: &Path) -> impl IntoResponse + Clone + Send + Sync + 'static {
    ([(CONTENT_TYPE, "text/javascript")], read(path))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}; {}", path.display(), crate::tool::INSTALL))
}
