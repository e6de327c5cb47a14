//! A form and the authenticated client that sent it: RFC 6749 §2.3 and §3.2.1.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::client_authentication::present;
use super::form::Form;
use crate::app::App;
use crate::client::authentication::authenticate;
use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::protocol::token::TokenRequest;
use crate::registry::client::Client;

/// The parameters of an endpoint for authenticated clients.
pub trait ClientForm: Sized + Send {
    /// Reads the endpoint's own parameters.
    fn from_parameters(parameters: &Parameters) -> Result<Self>;
}

impl ClientForm for TokenRequest {
    fn from_parameters(parameters: &Parameters) -> Result<Self> {
        Self::from_parameters(parameters)
    }
}

/// Holding this means: the client was authenticated, or is a public client that identified itself.
pub struct ClientRequest<T> {
    /// The tenant's issuer.
    pub issuer: Issuer,
    /// The client.
    pub client: Arc<Client>,
    /// The parameters.
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
            let client = authenticate(&issuer, present(&issuer, &headers, &parameters)?).await?;
            let form = T::from_parameters(&parameters)?;
            Ok(Self { issuer: issuer.clone(), client, form })
        };
        read.await.map_err(|error: OAuthError| refuse(error, headers.contains_key(header::AUTHORIZATION)))
    }
}

/// RFC 6749 §5.2: a client that tried HTTP authentication is told the right scheme.
///
/// RFC 9110 §15.5.2 wants a challenge in every 401. No other client gets one: a browser would open its own dialog over
/// an application that calls `/token`, and certified clients read the challenge and not the error.
fn refuse(error: OAuthError, tried_basic: bool) -> Response {
    let challenge = tried_basic && error.code == ErrorCode::InvalidClient;
    let mut response = error.into_response();
    if challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"uitsmijter\""));
    }
    response
}
