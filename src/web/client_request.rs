//! A form and the client that proved to send it: RFC 6749 §2.3 and §3.2.1.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::form::Form;
use crate::app::App;
use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::parameters::{Parameters, form_decode};
use crate::protocol::token::TokenRequest;
use crate::registry::client::{AuthMethod, Client};

/// What an endpoint for authenticated clients reads.
pub trait ClientForm: Sized + Send {
    /// Reads the endpoint's own parameters.
    fn from_parameters(parameters: &Parameters) -> Result<Self>;
}

impl ClientForm for TokenRequest {
    fn from_parameters(parameters: &Parameters) -> Result<Self> {
        Self::from_parameters(parameters)
    }
}

/// Holding this means: the client was authenticated, or is a public client that said who it is.
pub struct ClientRequest<T> {
    /// The tenant's issuer.
    pub issuer: Issuer,
    /// Who sent it.
    pub client: Arc<Client>,
    /// What was sent.
    pub form: T,
}

impl<T: ClientForm> FromRequest<App> for ClientRequest<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> std::result::Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let issuer = Issuer::from_request_parts(&mut parts, app).await?;
        let headers = parts.headers.clone();
        let Form(parameters) = Form::from_request(Request::from_parts(parts, body), app).await?;
        let read = async {
            let client = authenticate(&issuer, &headers, &parameters).await?;
            let form = T::from_parameters(&parameters)?;
            Ok(Self { issuer, client, form })
        };
        read.await.map_err(|error| refuse(error, headers.contains_key(header::AUTHORIZATION)))
    }
}

/// RFC 6749 §5.2: a client that tried HTTP authentication is told which scheme it should have used.
fn refuse(error: OAuthError, tried_basic: bool) -> Response {
    let challenge = tried_basic && error.code == ErrorCode::InvalidClient;
    let mut response = error.into_response();
    if challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"uitsmijter\""));
    }
    response
}

/// How a client presented itself.
struct Presented {
    client_id: String,
    secret: Option<String>,
    method: AuthMethod,
}

async fn authenticate(issuer: &Issuer, headers: &HeaderMap, parameters: &Parameters) -> Result<Arc<Client>> {
    let presented = present(headers, parameters)?;
    let client = issuer.known_client(&presented.client_id)?;
    tracing::Span::current().record("client", &*client.ident);
    let refused = || OAuthError::invalid_client("client authentication failed");
    match (&client.secret, presented.secret) {
        (None, None) => Ok(client),
        // A public client has no secret to compare, and pretending that any would do helps nobody.
        (None, Some(_)) | (Some(_), None) => Err(refused()),
        (Some(_), Some(_)) if !client.auth_method.accepts(presented.method) => {
            Err(OAuthError::invalid_client("the client must use its registered authentication method"))
        }
        (Some(secret), Some(presented)) => {
            if issuer.login.passwords().verify_secret(secret, presented).await {
                Ok(client)
            } else {
                Err(refused())
            }
        }
    }
}

/// RFC 6749 §2.3: one method per request.
fn present(headers: &HeaderMap, parameters: &Parameters) -> Result<Presented> {
    let form_id = parameters.owned("client_id")?;
    let form_secret = parameters.owned("client_secret")?;
    if headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
        return Err(OAuthError::invalid_request("only one way of client authentication may be used"));
    }
    match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let (client_id, secret) = basic(value)?;
            if form_secret.is_some() {
                return Err(OAuthError::invalid_request("only one way of client authentication may be used"));
            }
            if form_id.is_some_and(|form_id| form_id != client_id) {
                return Err(OAuthError::invalid_request("client_id differs from the one in the Authorization header"));
            }
            Ok(Presented { client_id, secret, method: AuthMethod::ClientSecretBasic })
        }
        None => {
            let client_id = form_id.ok_or_else(|| OAuthError::invalid_client("client_id is missing"))?;
            let method = if form_secret.is_some() { AuthMethod::ClientSecretPost } else { AuthMethod::None };
            Ok(Presented { client_id, secret: form_secret, method })
        }
    }
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined. An empty secret counts as none.
fn basic(value: &HeaderValue) -> Result<(String, Option<String>)> {
    let malformed = || OAuthError::invalid_client("the Authorization header is not a well-formed Basic credential");
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = value.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (client_id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    let client_id = form_decode(client_id).map_err(|_| malformed())?;
    let secret = form_decode(secret).map_err(|_| malformed())?;
    Ok((client_id, Some(secret).filter(|secret| !secret.is_empty())))
}
