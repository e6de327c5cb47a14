//! Host → tenant → [`Issuer`]: the first thing that almost every request needs.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;

use super::error::{UNKNOWN_HOST, bad_host, unknown_host};
use super::forwarded::{Origin, client_address};
use crate::app::App;
use crate::issuer::Issuer;

impl FromRequestParts<App> for Issuer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let origin = Origin::of(parts, &app.settings).ok_or_else(bad_host)?;
        let mut issuer = app.issuer(&origin).ok_or_else(|| {
            app.turned_away.tell(app.clock.now(), UNKNOWN_HOST, origin.host());
            unknown_host()
        })?;
        issuer.caller = client_address(parts, &app.settings);
        tracing::Span::current().record("tenant", &*issuer.tenant.name);
        Ok(issuer)
    }
}
