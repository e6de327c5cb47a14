//! The route table. Routes for people answer with pages, those for machines with JSON; no route does both.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use crate::web::error::{draw_pages, method_not_allowed, not_found, use_post};
use crate::web::form::MAX_BODY;
use crate::web::{cors, trace};

pub mod activate;
pub mod assets;
pub mod authorize;
pub mod consent;
pub mod device_authorization;
pub mod discovery;
pub mod health;
pub mod index;
pub mod interceptor;
pub mod introspect;
pub mod jwks;
pub mod login;
pub mod logout;
pub mod metrics;
pub mod openapi;
pub mod revoke;
pub mod token;
pub mod userinfo;
pub mod versions;
pub mod webhook;

/// How long one request may take, its body included, plus the time limit of login scripts: short enough to cut off a
/// client that trickles its bytes.
const REQUEST: Duration = Duration::from_secs(30);

/// All routes of the server. Those for operators are left out if they have an address of their own.
pub fn router(app: App) -> Router {
    let own_address = app.settings.metrics_listen.is_some();
    let limited = Router::new()
        .merge(people(&app))
        .merge(machines(&app))
        .merge(if own_address { Router::new() } else { probes() })
        // What is counted says a lot about people and tenants, and is nobody's business on an address that anybody reaches.
        .merge(if own_address || app.settings.production { Router::new() } else { figures() })
        .method_not_allowed_fallback(method_not_allowed);
    let nosniff =
        SetResponseHeaderLayer::if_not_present(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // One layer instead of three, the outermost first: every layer is boxed, and cloned with its contents for each
    // request. Documents come from memory, so they need no timeout.
    let limits = (
        TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST + app.settings.script_timeout),
        DefaultBodyLimit::max(MAX_BODY),
    );
    let (traced, counted) =
        (from_fn_with_state(app.clone(), trace::trace), from_fn_with_state(app.clone(), trace::count));
    let documents = documents().layer((counted, nosniff.clone(), CatchPanicLayer::new()));
    documents.merge(limited.layer((traced, nosniff, CatchPanicLayer::new(), limits))).with_state(app)
}

/// Errors are pages.
fn people(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(index::get).post(index::post))
        .route("/authorize", get(authorize::get).head(no_head).post(authorize::post))
        .route("/login", get(login::get).post(login::post))
        .route("/consent", get(consent::get).post(consent::post))
        .route("/activate", get(activate::get).post(activate::post))
        .route("/logout", get(logout::get).head(no_head).post(logout::post))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(app.clone(), draw_pages))
}

/// Public: caches and browsers of any origin may read them.
fn documents() -> Router<App> {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery::get).options(cors::preflight_of_anyone))
        .route("/.well-known/oauth-authorization-server", get(discovery::get).options(cors::preflight_of_anyone))
        .route("/.well-known/jwks.json", get(jwks::get).options(cors::preflight_of_anyone))
        .method_not_allowed_fallback(method_not_allowed)
}

/// Errors are JSON.
fn machines(app: &App) -> Router<App> {
    let from_browsers = Router::new()
        .route("/token", post(token::post).options(preflight).fallback(use_post))
        .route("/token/info", get(userinfo::info).post(userinfo::info).options(preflight))
        .route("/userinfo", get(userinfo::get).post(userinfo::get).options(preflight))
        .route("/revoke", post(revoke::post).options(preflight).fallback(use_post))
        .layer(from_fn_with_state(app.clone(), cors::clients));
    Router::new()
        .merge(from_browsers)
        .route("/openapi.json", get(openapi::get))
        .route("/introspect", post(introspect::post).fallback(use_post))
        .route("/device_authorization", post(device_authorization::post).fallback(use_post))
        .route("/oauth/device_authorization", post(device_authorization::post).fallback(use_post))
        .route("/interceptor", any(interceptor::any))
        // Envoy appends the original path to ours.
        .route("/interceptor/", any(interceptor::any))
        .route("/interceptor/{*path}", any(interceptor::any))
        .route("/static/{name}", get(assets::get))
        .route("/versions", get(versions::get))
}

/// For probes.
fn probes() -> Router<App> {
    let alive = Router::new().route("/health", get(health::live));
    alive.route("/health/ready", get(health::ready))
}

/// For Prometheus.
fn figures() -> Router<App> {
    Router::new().route("/metrics", get(metrics::get))
}

/// The routes for operators, on their own address.
pub fn operators_router(app: App) -> Router {
    probes().merge(figures()).with_state(app)
}

/// A GET of these consumes something or ends a session, which a HEAD must not (RFC 9110 §9.2.1).
async fn no_head() -> impl IntoResponse {
    ([(header::ALLOW, "GET, POST")], method_not_allowed().await)
}

/// Answered by the CORS layer before it gets here.
async fn preflight() -> axum::http::StatusCode {
    axum::http::StatusCode::NO_CONTENT
}
