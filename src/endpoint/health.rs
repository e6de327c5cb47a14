//! `GET /health` and `/health/ready`: is the process alive, and may it get requests?

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::issuer::signer;
use crate::registry::Snapshot;

/// How many tenants' keys are looked at where those of the first cannot be used.
const LOOKED_AT: usize = 5;

/// Liveness: the process answers. Depends on nothing else, or an outage of the store would restart every replica.
pub async fn live() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// Readiness: tenants are there, store and keys have been there since the start, and the server is not about to stop.
///
/// A server that was never complete is kept out of the way: a rolling update has to stop at a wrong password. Once it
/// was, an outage of the store does not take it away, because it would take all replicas away at once, and with them
/// what goes on from memory.
pub async fn ready(State(app): State<App>) -> Response {
    let store = app.store.ping().await.is_ok();
    let snapshot = app.registry.current();
    let missing = app.registry.missing();
    // In a cluster, a server that waits for its first tenant is not broken.
    let tenants = snapshot.tenant_count() > 0 || (app.settings.kubernetes.enabled && missing.is_none());
    let keys = tenants && can_sign(&app, &snapshot).await;
    let serving = !app.is_stopping();
    if store && keys && missing.is_none() {
        app.note_complete();
    }
    let ready = app.was_complete() && missing.is_none() && tenants && serving;
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

/// Whether keys can be used here. Another SIGNING_KEY_SECRET opens none; a damaged row is one tenant's misfortune, so
/// where the first tenant cannot sign, half of some have to.
async fn can_sign(app: &App, snapshot: &Snapshot) -> bool {
    let (mut good, mut looked_at) = (0, 0);
    for tenant in snapshot.tenants().take(LOOKED_AT) {
        let can = signer(&app.keys, tenant).await.is_ok_and(|signer| signer.can_sign());
        if can && looked_at == 0 {
            return true;
        }
        looked_at += 1;
        good += usize::from(can);
    }
    good * 2 >= looked_at
}
