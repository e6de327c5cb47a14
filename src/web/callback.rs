//! The verified redirect to the client: RFC 6749 §4.1.2, RFC 9207, OAuth 2.0 Form Post Response Mode.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use url::Url;

use super::error::log;
use super::page_context::PageContext;
use crate::audit;
use crate::issuer::Issuer;
use crate::page::Page;
use crate::protocol::authorization::{ResponseMode, with_answer_parameters};
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::registry::client::Client;

/// Holding this means: the client is known and the redirect URI is registered for it. A browser can be sent back only
/// through it, so an unverified URI cannot be reached by mistake.
pub struct Callback {
    /// The client.
    pub client: Arc<Client>,
    /// The redirect URI.
    pub redirect_uri: String,
    /// Returned unchanged.
    pub state: Option<String>,
    /// How the response is sent.
    pub response_mode: ResponseMode,
    issuer_url: Arc<str>,
}

impl Callback {
    /// Reads `client_id` and `redirect_uri`; the response goes by query and without a state until those are read.
    ///
    /// Errors: to be shown to the person, never redirected (RFC 6749 §4.1.2.1).
    pub async fn from_parameters(issuer: &Issuer, parameters: &Parameters) -> Result<Self> {
        let client_id = parameters.required("client_id")?;
        let redirect_uri = parameters.required("redirect_uri")?;
        Self::prove(issuer, client_id, redirect_uri.to_owned(), None, ResponseMode::default()).await
    }

    /// Reads `state` and `response_mode` independently: each valid one is used for the response.
    ///
    /// Errors: for the client, like all later ones.
    pub fn read_wishes(&mut self, parameters: &Parameters) -> Result<()> {
        let parameters = with_answer_parameters(parameters);
        let (state, response_mode) = (parameters.owned("state"), ResponseMode::from_parameters(&parameters));
        self.response_mode = response_mode.as_ref().copied().unwrap_or_default();
        self.state = state?;
        response_mode.map(drop)
    }

    /// Verifies a stored redirect URI again: the client may have changed since.
    pub async fn prove(
        issuer: &Issuer,
        client_id: &str,
        redirect_uri: String,
        state: Option<String>,
        response_mode: ResponseMode,
    ) -> Result<Self> {
        // 400 and not 401: the client did not try to authenticate.
        let refuse = |reason: &'static str| {
            audit::client_refused(&issuer.tenant.name, client_id, reason);
            Err(OAuthError::invalid_request(reason))
        };
        let Some(client) = issuer.client(client_id).await? else { return refuse("client_id is not known here") };
        tracing::Span::current().record("client", &*client.ident);
        if !client.redirect_uris.iter().any(|registered| registered.matches(&redirect_uri)) {
            return refuse("redirect_uri is not registered for this client");
        }
        Ok(Self { client, redirect_uri, state, response_mode, issuer_url: issuer.url.clone() })
    }

    /// The success response of §4.1.2.
    pub fn success(self, page: &PageContext, code: &str) -> Response {
        self.answer(page, vec![("code", code.to_owned())])
    }

    /// The error response of §4.1.2.1.
    pub fn error(self, page: &PageContext, error: OAuthError) -> Response {
        log(&error);
        let fields =
            vec![("error", error.code.as_str().to_owned()), ("error_description", error.description.into_owned())];
        self.answer(page, fields)
    }

    fn answer(self, page: &PageContext, mut fields: Vec<(&'static str, String)>) -> Response {
        fields.extend(self.state.map(|state| ("state", state)));
        fields.push(("iss", self.issuer_url.to_string()));
        match self.response_mode {
            ResponseMode::Query => {
                // Verified by `prove`, so it parses.
                let Ok(mut url) = Url::parse(&self.redirect_uri) else {
                    return OAuthError::invalid_request("redirect_uri is not a URI").into_response();
                };
                url.query_pairs_mut().extend_pairs(&fields);
                (
                    [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")],
                    Redirect::to(url.as_str()),
                )
                    .into_response()
            }
            ResponseMode::FormPost => {
                let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let form = Page::FormPost { action: &self.redirect_uri, fields: &fields, nonce: page.nonce() };
                page.respond(StatusCode::OK, &form)
            }
        }
    }
}
