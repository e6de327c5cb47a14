//! A person's visit to one of our pages: the tenant, the cookies of the browser, and how pages are drawn.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;

use super::cookies::Cookies;
use super::page_context::PageContext;
use crate::app::App;
use crate::issuer::Issuer;

/// The first argument of every endpoint for people.
pub struct Visit {
    /// The tenant's issuer.
    pub issuer: Issuer,
    /// The browser's cookies.
    pub cookies: Cookies,
    /// The context of pages.
    pub page: PageContext,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let issuer = Issuer::from_request_parts(parts, app).await?;
        let Ok(cookies) = Cookies::from_request_parts(parts, app).await;
        Ok(Self { issuer, cookies, page: PageContext::of(app, parts) })
    }
}

impl Visit {
    /// The same, with pages in a language that an earlier request preferred (OIDC Core §3.1.2.1).
    pub fn with_ui_locales(self, ui_locales: Option<&str>) -> Self {
        Self { page: self.page.with_ui_locales(ui_locales), ..self }
    }
}
