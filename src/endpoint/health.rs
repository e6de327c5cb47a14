//! `GET /health` and `/health/ready`: is the process alive, and may it receive requests?

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

/// How many tenants' keys are checked if those of the first cannot be used.
const SAMPLED_TENANTS: usize = 20;

/// The interval of checks until the server has been complete once.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Liveness: the process answers. Depends on nothing else, or an outage of the store would restart every replica.
pub async fn live() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// Readiness: there are tenants, store and keys have been available since the start, and the server is not stopping.
///
/// A server that was never complete gets no requests: a rolling update must stop at a wrong password. Once it was
/// complete, an outage of the store does not make it unready, because that would remove all replicas at once, and with
/// them what works from memory.
pub async fn ready(State(app): State<App>) -> Response {
    let Readiness { store, tenants, keys, missing } = check(&app).await;
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
    let undeclared = app.undeclared_proxies.all();
    if !undeclared.is_empty() {
        body["undeclared_proxies"] = json!(undeclared);
    }
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Checks until everything has been available once, even if nobody asks: a first probe during an outage must find a
/// server that was complete. It also reports a wrong secret at the start.
pub async fn watch(app: App) {
    while !app.was_complete() {
        check(&app).await;
        sleep(CHECK_INTERVAL).await;
    }
}

/// What a server needs before it receives requests.
struct Readiness {
    store: bool,
    tenants: bool,
    keys: bool,
    /// Why custom resources are not complete yet.
    missing: Option<Arc<String>>,
}

async fn check(app: &App) -> Readiness {
    let store = app.store.ping().await.is_ok();
    let snapshot = app.registry.current();
    let missing = app.registry.missing();
    // In a cluster, a server that has no tenant yet is not broken.
    let tenants = snapshot.tenant_count() > 0 || (app.settings.kubernetes.enabled && missing.is_none());
    let keys = tenants && can_sign(app, &snapshot).await;
    if store && keys && missing.is_none() {
        app.note_complete();
    }
    Readiness { store, tenants, keys, missing }
}

/// Whether keys can be used here. With a wrong SIGNING_KEY_SECRET none can; a damaged row affects only one tenant, so
/// if the first tenant with keys cannot sign, half of a sample have to. Keys are created only if no tenant has any: new
/// keys prove nothing about existing ones.
async fn can_sign(app: &App, snapshot: &Snapshot) -> bool {
    let (mut good, mut checked) = (0, 0);
    for tenant in snapshot.tenants().take(SAMPLED_TENANTS) {
        let can = match signer_with_keys(&app.services.keys, tenant).await {
            Ok(None) => continue,
            Ok(Some(signer)) => signer.can_sign(),
            Err(_) => false,
        };
        if can && checked == 0 {
            return true;
        }
        checked += 1;
        good += usize::from(can);
    }
    match snapshot.tenants().next() {
        Some(first) if checked == 0 => signer(&app.services.keys, first).await.is_ok_and(|signer| signer.can_sign()),
        _ => good * 2 >= checked,
    }
}
