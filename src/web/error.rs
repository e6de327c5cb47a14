//! How an [`OAuthError`] is drawn: as JSON (RFC 6749 §5.2), or as a page on the routes that people visit.
//!
//! The route table decides which of the two, not the `Accept` header. A redirect to the client is neither: only a
//! `Callback` can make one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::page_context::PageContext;
use crate::app::App;
use crate::page::Page;
use crate::protocol::error::OAuthError;

/// The code and description of an error response, kept in its extensions so that a page can show them too.
#[derive(Clone)]
struct Said {
    code: &'static str,
    description: Arc<str>,
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        log(&self);
        let mut response = said(self.status(), self.code.as_str(), &self.description);
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

/// Logs an error once, where it is drawn or sent back. The description is ours and contains no input but parameter
/// names. A stranger's mistake is not an error of ours.
pub(super) fn log(error: &OAuthError) {
    match (&error.cause, error.code.status().is_server_error()) {
        (Some(cause), true) => {
            tracing::error!(error = error.code.as_str(), cause = format!("{cause:#}"), "request failed")
        }
        (Some(cause), false) => {
            tracing::info!(
                error = error.code.as_str(),
                description = &*error.description,
                cause = format!("{cause:#}"),
                "request refused"
            );
        }
        (None, _) => tracing::info!(error = error.code.as_str(), description = &*error.description, "request refused"),
    }
}

/// The preferred languages in the body of a request, kept in the response: the layer sees only the URL.
#[derive(Clone)]
pub struct UiLocales(pub Option<String>);

/// The layer over routes for people: every error becomes a page in the person's language and the tenant's look.
pub async fn draw_pages(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let context = PageContext::of(&app, &parts);
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some(said) = response.extensions().get::<Said>().cloned() else { return response };
    let context = match response.extensions().get::<UiLocales>() {
        Some(UiLocales(wished)) => context.with_ui_locales(wished.as_deref()),
        None => context,
    };
    let page = Page::Error { code: said.code, description: &said.description, request_id: context.request_id() };
    let mut drawn = context.respond(response.status(), &page);
    for name in [header::RETRY_AFTER, header::SET_COOKIE, header::ALLOW] {
        if let Some(value) = response.headers().get(&name) {
            drawn.headers_mut().insert(name, value.clone());
        }
    }
    drawn
}

/// The response for a path that does not exist.
pub async fn not_found() -> Response {
    said(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
}

/// The response for a method that a path does not accept.
pub async fn method_not_allowed() -> Response {
    said(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address does not take this method")
}

/// The same for a path that accepts only POST.
pub async fn use_post() -> Response {
    said(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address does not take this method; use POST")
}

/// The response for a request that names no host, or several (RFC 9112 §3.2).
pub fn bad_host() -> Response {
    said(StatusCode::BAD_REQUEST, "invalid_request", "the Host header is missing or malformed")
}

/// The response for a request whose proxy names another tenant's host than the one that it is addressed to (RFC 9110
/// §15.5.20): a cache that goes by `Host` would serve the one tenant's documents under the name of the other.
pub fn misdirected() -> Response {
    let description = "Host and X-Forwarded-Host lead to different tenants; let the proxy pass the same host in both";
    said(StatusCode::MISDIRECTED_REQUEST, "misdirected_request", description)
}

/// The description for an unknown host.
pub const UNKNOWN_HOST: &str = "no tenant is configured for this host";

/// The response for an unknown host.
pub fn unknown_host() -> Response {
    said(StatusCode::NOT_FOUND, "unknown_host", UNKNOWN_HOST)
}

/// An error with any code, also one that the specifications do not have.
pub fn said(status: StatusCode, code: &'static str, description: &str) -> Response {
    let mut response = (status, axum::Json(json!({ "error": code, "error_description": description }))).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Said { code, description: description.into() });
    response
}
