//! Host → tenant → [`Issuer`]: almost every request starts here.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;

use super::error::{UNKNOWN_HOST, bad_host, misdirected, unknown_host};
use crate::app::App;
use crate::issuer::Issuer;
use crate::origin::{Origin, client_address};

/// The tenant that a request is for. The logging layer finds it once and stores it in the extensions.
#[derive(Clone)]
pub(super) struct Addressee(Result<Issuer, Nobody>);

#[derive(Clone)]
enum Nobody {
    /// No host, or an invalid one.
    Named,
    /// No tenant has this host.
    Has(Arc<str>),
    /// A proxy names the host of one tenant and addresses another.
    Meant,
}

impl Addressee {
    /// Finds the tenant for the host of a request. Limits per address are for `caller`.
    pub(super) fn of(parts: &Parts, app: &App, caller: Option<IpAddr>) -> Self {
        let Some(origin) = Origin::of(parts, &app.settings) else { return Self(Err(Nobody::Named)) };
        let Some(mut issuer) = app.issuer(&origin) else { return Self(Err(Nobody::Has(origin.host().into()))) };
        let addressed = origin.behind(parts).and_then(|host| issuer.snapshot.tenant_by_host(&host));
        if addressed.is_some_and(|addressed| addressed.name != issuer.tenant.name) {
            return Self(Err(Nobody::Meant));
        }
        issuer.caller = caller;
        Self(Ok(issuer))
    }

    /// The tenant's name, if there is one.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.0.as_ref().ok().map(|issuer| &*issuer.tenant.name)
    }
}

impl FromRequestParts<App> for Issuer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let kept = parts.extensions.get::<Addressee>().cloned();
        let addressee = kept.unwrap_or_else(|| Addressee::of(parts, app, client_address(parts, &app.settings)));
        addressee.0.map_err(|nobody| match nobody {
            Nobody::Named => bad_host(),
            Nobody::Meant => misdirected(),
            Nobody::Has(host) => {
                app.turned_away.tell(app.services.clock.now(), UNKNOWN_HOST, &host);
                unknown_host()
            }
        })
    }
}
