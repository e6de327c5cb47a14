//! `GET /versions`: the version of the program, unless the operator hides it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::web::error::not_found;

/// Name and version of the program.
pub async fn get(State(app): State<App>) -> Response {
    if app.settings.display_version {
        Json(json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") })).into_response()
    } else {
        not_found().await
    }
}
