//! Parameters of a request: from its query, or from its body as a form (RFC 6749 Appendix B) or as JSON.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::said;
use crate::app::App;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::parameters::Parameters;

/// The largest body that any endpoint reads.
pub const MAX_BODY: usize = 64 * 1024;

/// The parameters of a GET from the query, those of a POST from the body.
pub struct Form(pub Parameters);

impl FromRequest<App> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> std::result::Result<Self, Self::Rejection> {
        if request.method() == Method::GET || request.method() == Method::HEAD {
            let query = request.uri().query().unwrap_or_default();
            return Parameters::from_form(query.as_bytes()).map(Self).map_err(IntoResponse::into_response);
        }
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, app).await.map_err(|_| {
            said(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the body is too large or was cut off")
        })?;
        parse(&headers, &body).map(Self).map_err(IntoResponse::into_response)
    }
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Parameters> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Parameters::from_form(body),
        "application/json" => Parameters::from_json(body),
        _ if body.is_empty() => Ok(Parameters::default()),
        _ => Err(OAuthError::invalid_request("the body must be application/x-www-form-urlencoded")),
    }
}
