//! `GET /health` and `/health/ready`: is the process alive, and may it get requests?

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::time::sleep;

use crate::app::App;
use crate::issuer::{signer, signer_with_keys};
use crate::registry::Snapshot;

/// How many tenants' keys are looked at where those of the first cannot be used.
const LOOKED_AT: usize = 20;

/// Between two looks at a server that is not complete yet.
const AGAIN: Duration = Duration::from_secs(2);

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
    let Parts { store, tenants, keys, missing } = look(&app).await;
    let serving = !app.is_stopping();
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
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Looks until everything has been there once, whether or not somebody asks: who asks for the first time in an outage
/// hears of a server that was complete. A wrong secret is told at the start, too.
pub async fn watch(app: App) {
    while !app.was_complete() {
        look(&app).await;
        sleep(AGAIN).await;
    }
}

/// What a server needs before it gets requests.
struct Parts {
    store: bool,
    tenants: bool,
    keys: bool,
    /// What custom resources are waited for.
    missing: Option<Arc<String>>,
}

async fn look(app: &App) -> Parts {
    let store = app.store.ping().await.is_ok();
    let snapshot = app.registry.current();
    let missing = app.registry.missing();
    // In a cluster, a server that waits for its first tenant is not broken.
    let tenants = snapshot.tenant_count() > 0 || (app.settings.kubernetes.enabled && missing.is_none());
    let keys = tenants && can_sign(app, &snapshot).await;
    if store && keys && missing.is_none() {
        app.note_complete();
    }
    Parts { store, tenants, keys, missing }
}

/// Whether keys can be used here. Another SIGNING_KEY_SECRET opens none; a damaged row is one tenant's misfortune, so
/// where the first tenant that has keys cannot sign, half of some have to. Keys are made only where nobody has any: those
/// that this process makes prove nothing about those that are there.
async fn can_sign(app: &App, snapshot: &Snapshot) -> bool {
    let (mut good, mut looked_at) = (0, 0);
    for tenant in snapshot.tenants().take(LOOKED_AT) {
        let can = match signer_with_keys(&app.services.keys, tenant).await {
            Ok(None) => continue,
            Ok(Some(signer)) => signer.can_sign(),
            Err(_) => false,
        };
        if can && looked_at == 0 {
            return true;
        }
        looked_at += 1;
        good += usize::from(can);
    }
    match snapshot.tenants().next() {
        Some(first) if looked_at == 0 => signer(&app.services.keys, first).await.is_ok_and(|signer| signer.can_sign()),
        _ => good * 2 >= looked_at,
    }
}
