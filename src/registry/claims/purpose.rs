//! Which names a tenant claims, and what for.

use crate::registry::tenant::{HostPattern, Tenant, bare_host};

/// What a name is claimed for. Whatever else names a host of a tenant gets a variant here and a line in [`names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `hosts`: requests for it are the tenant's.
    Host,
    /// `interceptor.domain`: its people type their passwords there.
    LoginPage,
    /// `issuer`: tokens say that they come from there.
    Issuer,
    /// `interceptor.cookie`: the session's cookie is sent to all that is below it.
    Cookie,
}

impl Purpose {
    /// Where it is written.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::LoginPage => "interceptor.domain",
            Self::Issuer => "issuer",
            Self::Cookie => "interceptor.cookie",
        }
    }

    /// Whether tenants in one hand may have it in common with another name of theirs. Never two that tokens name: then
    /// one could make the other's.
    pub(super) fn is_shareable(self) -> bool {
        matches!(self, Self::LoginPage | Self::Cookie)
    }
}

/// All hosts that `tenant` claims, wildcards among them.
pub(super) fn names(tenant: &Tenant) -> impl Iterator<Item = (Purpose, String)> {
    let hosts = tenant.hosts.iter().map(|HostPattern(host)| (Purpose::Host, host.clone()));
    let is_host = |host: &String| tenant.hosts.iter().any(|own| own.0 == *host);
    let page = login_page(tenant).filter(|host| !is_host(host)).map(|host| (Purpose::LoginPage, host));
    let issuer = issuer_host(tenant).filter(|host| !is_host(host)).map(|host| (Purpose::Issuer, host));
    hosts.chain(page).chain(issuer)
}

/// The host of the page at which people sign in for applications behind a proxy.
pub(in crate::registry) fn login_page(tenant: &Tenant) -> Option<String> {
    tenant.interceptor.domain.as_deref().filter(|_| tenant.interceptor.enabled).map(bare_host)
}

/// The host of the issuer that is fixed for all hosts.
pub(in crate::registry) fn issuer_host(tenant: &Tenant) -> Option<String> {
    tenant.issuer.as_ref().and_then(|issuer| issuer.host_str()).map(bare_host)
}

/// Whether `host` leads to the tenant as far as its own document says.
pub(super) fn is_own_host(tenant: &Tenant, host: &str) -> bool {
    tenant.hosts.iter().any(|own| own.includes(host)) || login_page(tenant).is_some_and(|page| page == host)
}

/// The cookie domain, if browsers take it from one of the tenant's hosts (RFC 6265 §5.3): what has no effect claims
/// nothing.
pub(super) fn cookie_domain(tenant: &Tenant) -> Option<String> {
    let domain = tenant.interceptor.cookie.as_deref()?;
    tenant.has_host_below(domain).then(|| domain.to_owned())
}
