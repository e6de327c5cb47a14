//! The context in which a page is drawn, and the headers of every page.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::request_id::RequestId;
use crate::app::App;
use crate::origin::Origin;
use crate::page::locale::Locale;
use crate::page::look::Look;
use crate::page::{Page, Pages, View, content_security_policy};
use crate::protocol::error::OAuthError;

/// The person's language, the tenant's look, and the pages.
#[derive(Clone)]
pub struct PageContext {
    pages: Pages,
    look: Look,
    locale: Locale,
    accept_language: Option<String>,
    request_id: Option<RequestId>,
    https: bool,
    nonce: String,
}

impl FromRequestParts<App> for PageContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self::of(app, parts))
    }
}

impl PageContext {
    /// The context of a request, even of one without a tenant.
    pub fn of(app: &App, parts: &Parts) -> Self {
        let origin = Origin::of(parts, &app.settings);
        let tenant = origin.as_ref().and_then(|origin| app.registry.current().tenant_by_host(origin.host()).cloned());
        let accept_language =
            parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            pages: tenant.as_ref().map_or_else(|| app.pages.clone(), |tenant| app.views.of(tenant)),
            look: tenant.map(|tenant| Look::of(&tenant)).unwrap_or_default(),
            locale: Locale::negotiate(ui_locales(parts).as_deref(), accept_language.as_deref()),
            accept_language,
            request_id: parts.extensions.get::<RequestId>().cloned(),
            https: origin.is_some_and(|origin| origin.scheme == "https"),
            nonce: app.services.random.identifier(),
        }
    }

    /// The same, in a language that an earlier request of the client preferred (OIDC Core §3.1.2.1).
    pub fn with_ui_locales(mut self, ui_locales: Option<&str>) -> Self {
        if ui_locales.is_some() {
            self.locale = Locale::negotiate(ui_locales, self.accept_language.as_deref());
        }
        self
    }

    /// The id of the request in the log.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().map(|id| &*id.0)
    }

    /// A nonce that allows one script of one response.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Draws a page whose forms lead to our own pages.
    pub fn respond(&self, status: StatusCode, page: &Page<'_>) -> Response {
        self.respond_towards(status, page, &[])
    }

    /// Draws a page whose form may redirect to one of `form_targets`.
    pub fn respond_towards(&self, status: StatusCode, page: &Page<'_>, form_targets: &[&str]) -> Response {
        let view = View { locale: self.locale, look: &self.look };
        let html = match self.pages.render(page, &view) {
            Ok(html) => html,
            Err(error) => return OAuthError::from(error).into_response(),
        };
        let policy = content_security_policy(page, &view, form_targets);
        let mut response = (status, Html(html)).into_response();
        let headers = response.headers_mut();
        // No Cross-Origin-Opener-Policy: applications that sign in by a popup watch that window.
        let fixed = [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::VARY, "accept-language"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.https {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        match HeaderValue::try_from(policy) {
            Ok(policy) => drop(headers.insert(header::CONTENT_SECURITY_POLICY, policy)),
            // A page must never be sent without its policy.
            Err(error) => return OAuthError::from(error).into_response(),
        }
        response
    }
}

/// The `ui_locales` of the URL, which also apply to the page that reports an error in the rest.
fn ui_locales(parts: &Parts) -> Option<String> {
    let query = parts.uri.query()?;
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ui_locales").map(|(_, value)| value.into_owned())
}
