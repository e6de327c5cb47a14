//! Cross-origin requests: everybody may read public documents, a client's own origins may call the endpoints that take
//! tokens.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::origin::Origin;

const ANYONE: HeaderValue = HeaderValue::from_static("*");

/// A response that any origin may read: discovery and keys.
pub fn to_anyone(mut response: Response) -> Response {
    allow(response.headers_mut(), ANYONE, false);
    response
}

/// The response to a preflight for a public document.
pub async fn preflight_of_anyone() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    allow(response.headers_mut(), ANYONE, true);
    response
}

/// The layer over token, userinfo and revocation: allows the origins of the tenant's clients.
pub async fn clients(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let preflight = request.method() == Method::OPTIONS;
    let (parts, body) = request.into_parts();
    let permitted = origin.filter(|origin| is_permitted(&app, Origin::of(&parts, &app.settings), origin));
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(Request::from_parts(parts, body)).await
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = permitted {
        allow(response.headers_mut(), origin, preflight);
    }
    response
}

fn is_permitted(app: &App, server: Option<Origin>, origin: &HeaderValue) -> bool {
    let (Some(server), Ok(origin)) = (server, origin.to_str()) else { return false };
    let snapshot = app.registry.current();
    let Some(tenant) = snapshot.tenant_by_host(server.host()) else { return false };
    snapshot
        .clients_of(&tenant.name)
        .iter()
        .any(|client| client.allowed_origins.iter().any(|allowed| allowed == origin))
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, preflight: bool) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    } else {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("www-authenticate, etag"));
    }
}
