//! `GET /openapi.json`: a description of every endpoint. Off in production by default.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::document;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::web::error::not_found;

/// Maintained by hand; a test compares it with the route table.
const DOCUMENT: &str = include_str!("../../assets/openapi.json");

/// The document, with the tenant's address in it.
pub async fn get(State(app): State<App>, issuer: Issuer, headers: HeaderMap) -> Result<Response> {
    if !app.settings.openapi {
        return Ok(not_found().await.into_response());
    }
    let mut openapi: Value = serde_json::from_str(DOCUMENT)?;
    openapi["servers"] = json!([{ "url": &*issuer.url }]);
    openapi["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let body = serde_json::to_vec(&openapi)?;
    let etag = document::etag(&body);
    Ok(document::respond(&headers, body.into(), &etag, issuer.services.documents_max_age))
}
