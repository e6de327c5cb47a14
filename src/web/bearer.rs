//! The access token of a request: RFC 6750 §2 and §3.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::form::Form;
use crate::app::App;
use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::token::access_token::{self, ActiveAccessToken};

/// Holding this means: the request carries an active access token of the tenant.
pub struct Bearer {
    /// The tenant's issuer.
    pub issuer: Issuer,
    /// The token.
    pub token: ActiveAccessToken,
}

impl FromRequest<App> for Bearer {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> std::result::Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let issuer = Issuer::from_request_parts(&mut parts, app).await?;
        let in_header = from_header(&parts.headers).map_err(challenge)?;
        let in_query = from_query(parts.uri.query().unwrap_or_default()).map_err(challenge)?;
        let in_body = from_body(Request::from_parts(parts, body), app).await?;
        let presented = match (in_header, in_body, in_query) {
            (Some(token), None, None) | (None, Some(token), None) => token,
            // §2.3: never in the query, where it would end up in logs.
            (None, None, _) => return Err(nothing_presented()),
            _ => {
                let twice = "the access token must be sent in one way, in the header or in the body";
                return Err(challenge(OAuthError::invalid_request(twice)));
            }
        };
        let token = access_token::verify(&issuer, &presented).await.map_err(challenge)?;
        Ok(Self { issuer, token })
    }
}

/// §2.2: in the form body of a POST; other bodies are ignored.
async fn from_body(request: Request, app: &App) -> Result<Option<String>, Response> {
    if request.method() != Method::POST || !has_form(request.headers()) {
        return Ok(None);
    }
    let unreadable = || challenge(OAuthError::invalid_request("the body is not a readable form"));
    match Form::from_request(request, app).await {
        Ok(Form(parameters)) => parameters.owned("access_token").map_err(challenge),
        Err(refusal) if refusal.status() == StatusCode::BAD_REQUEST => Err(unreadable()),
        Err(refusal) => Err(refusal),
    }
}

/// Whether there is a body that the server reads as parameters.
fn has_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    ["application/x-www-form-urlencoded", "application/json"].iter().any(|form| essence.eq_ignore_ascii_case(form))
}

fn from_query(query: &str) -> Result<Option<String>> {
    Parameters::from_form(query.as_bytes())?.owned("access_token")
}

fn from_header(headers: &HeaderMap) -> Result<Option<String>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let malformed = || OAuthError::invalid_request("the Authorization header is not a well-formed Bearer credential");
    if values.next().is_some() {
        return Err(malformed());
    }
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    match (scheme.eq_ignore_ascii_case("bearer"), token.trim()) {
        // §3.1: another authentication scheme does not present a token.
        (false, _) => Ok(None),
        (true, "") => Err(malformed()),
        (true, token) => Ok(Some(token.to_owned())),
    }
}

/// §3.1: without credentials the challenge has no error.
fn nothing_presented() -> Response {
    let challenge = HeaderValue::from_static("Bearer realm=\"uitsmijter\"");
    let headers =
        [(header::WWW_AUTHENTICATE, challenge), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::UNAUTHORIZED, headers).into_response()
}

/// §3: errors are repeated in `WWW-Authenticate`.
pub fn challenge(error: OAuthError) -> Response {
    let value = format!(
        "Bearer realm=\"uitsmijter\", error=\"{}\", error_description=\"{}\"",
        error.code.as_str(),
        error.description
    );
    let told = matches!(error.code, ErrorCode::InvalidToken | ErrorCode::InvalidRequest | ErrorCode::InsufficientScope);
    let mut response = error.into_response();
    if let (true, Ok(value)) = (told, HeaderValue::try_from(value)) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
