//! The access token of a request: RFC 6750 §2 and §3.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::form::Form;
use crate::app::App;
use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::token::access_token::{self, Living};

/// Holding this means: the request carries a living access token of the tenant.
pub struct Bearer {
    /// The tenant's issuer.
    pub issuer: Issuer,
    /// The token.
    pub token: Living,
}

impl FromRequest<App> for Bearer {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> std::result::Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let issuer = Issuer::from_request_parts(&mut parts, app).await?;
        let presented = match from_header(&parts.headers) {
            Err(error) => return Err(challenge(error)),
            Ok(Some(token)) => Some(token),
            // §2.2: in the body of a POST; never in the query (§2.3), where it would end up in logs.
            Ok(None) if parts.method == Method::POST => {
                let Form(parameters) = Form::from_request(Request::from_parts(parts, body), app).await?;
                parameters.owned("access_token").map_err(challenge)?
            }
            Ok(None) => None,
        };
        let Some(presented) = presented else { return Err(nothing_presented()) };
        let token = access_token::verify(&issuer, &presented).await.map_err(challenge)?;
        Ok(Self { issuer, token })
    }
}

fn from_header(headers: &HeaderMap) -> Result<Option<String>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let malformed = || OAuthError::invalid_request("the Authorization header is not a well-formed Bearer credential");
    if values.next().is_some() {
        return Err(malformed());
    }
    let (scheme, token) = value.to_str().map_err(|_| malformed())?.split_once(' ').ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim().to_owned())) } else { Err(malformed()) }
}

/// §3.1: without credentials the challenge carries no error.
fn nothing_presented() -> Response {
    let challenge = HeaderValue::from_static("Bearer realm=\"uitsmijter\"");
    let headers =
        [(header::WWW_AUTHENTICATE, challenge), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::UNAUTHORIZED, headers).into_response()
}

/// §3: errors are also told in `WWW-Authenticate`.
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
