//! `GET /metrics`: what the server counts, as OpenMetrics.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::metrics::CONTENT_TYPE;
use crate::protocol::error::Result;

/// All metrics of this replica.
pub async fn get(State(app): State<App>) -> Result<Response> {
    let snapshot = app.registry.current();
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    app.metrics.tenants.set(count(snapshot.tenant_count()));
    app.metrics.clients.set(count(snapshot.client_count()));
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], app.metrics.encode()?).into_response())
}
