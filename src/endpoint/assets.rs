//! `GET /static/{name}`: stylesheet, logo and script of the pages.

use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::page::assets;
use crate::web::error::not_found;

/// The file; 304 when the browser has it already.
pub async fn get(Path(name): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(asset) = assets::get(&name) else { return not_found().await };
    let version = query.as_deref().and_then(|query| query.strip_prefix("v="));
    let mut caching = HeaderMap::new();
    caching.insert(header::CACHE_CONTROL, HeaderValue::from_static(asset.cache_control(version)));
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        caching.insert(header::ETAG, etag);
    }
    if headers.get(header::IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == asset.etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let types = [(header::CONTENT_TYPE, asset.content_type), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (caching, types, asset.body).into_response()
}
