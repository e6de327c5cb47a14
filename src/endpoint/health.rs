//! `GET /health` and `/health/ready`: is the process alive, and may it get requests?

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::issuer::signer;

/// Liveness: the process answers. Depends on nothing else, or an outage of the store would restart every replica.
pub async fn live() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// Readiness: store, tenants and keys are there, and the server is not about to stop.
pub async fn ready(State(app): State<App>) -> Response {
    let store = app.store.ping().await.is_ok();
    let snapshot = app.registry.current();
    let missing = app.registry.missing();
    // In a cluster, a server that waits for its first tenant is not broken.
    let tenants = snapshot.tenant_count() > 0 || (app.settings.kubernetes.enabled && missing.is_none());
    let keys = match snapshot.tenants().next() {
        // A key that cannot be opened (another SIGNING_KEY_SECRET) is none: a rolling update must stop here.
        Some(tenant) => signer(&app.keys, tenant).await.is_ok_and(|signer| signer.can_sign()),
        None => tenants,
    };
    let serving = !app.is_stopping();
    let ready = store && missing.is_none() && tenants && keys && serving;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({
        "status": if ready { "ready" } else { "not ready" },
        "store": store,
        "tenants": tenants,
        "keys": keys,
        "serving": serving,
    });
    if let Some(reason) = missing {
        body["waiting_for"] = reason.as_str().into();
    }
    (status, [("cache-control", "no-store")], Json(body)).into_response()
}
