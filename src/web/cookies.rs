//! The two cookies: that of the session, and the one that identifies a browser before anybody has signed in.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponseParts, ResponseParts};
use cookie::time::Duration as CookieDuration;
use cookie::{Cookie, SameSite};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::issuer::Issuer;
use crate::key::Capability;
use crate::origin::{Origin, covers};
use crate::protocol::error::Result;
use crate::session::{Session, SignedIn};
use crate::sso::stay;
use crate::store::digest;

/// The session cookie of hosts with a cookie domain. Operators' proxies and applications know this name.
pub const SESSION: &str = "uitsmijter-sso";

/// The session cookie where no cookie domain is set, over https; see [`SECURE_BROWSER`]. A version before does not read it.
pub const SECURE_SESSION: &str = "__Host-uitsmijter-sso";

/// Binds pending steps to the browser that began them.
pub const BROWSER: &str = "uitsmijter-browser";

/// The same over https: browsers accept a cookie with such a name only from this very host (RFC 6265bis §4.1.3.2), so a
/// neighbour below the same domain cannot plant its own and make somebody finish a step that it began.
pub const SECURE_BROWSER: &str = "__Host-uitsmijter-browser";

/// The most values of one name that are read. Neighbours below the same domain can plant as many as there are paths,
/// all of them before ours; this is more than accumulate by mistake, and still cheap.
const MOST: usize = 16;

/// The cookies of a request, and how to set others for the same host.
#[derive(Clone, Debug)]
pub struct Cookies {
    /// Those that only this host can have set.
    own_sessions: Vec<String>,
    /// The others: usually one; another may remain from before the operator chose a domain, or come from a neighbour.
    sessions: Vec<String>,
    browser: Option<String>,
    /// Whether new sessions get a cookie that only this host can set.
    is_host_bound: bool,
    secure: bool,
    host: Option<String>,
    /// The cookie domain that is configured for this host.
    domain: Option<String>,
    /// All domains for which a host of the tenant sets cookies that this host may remove.
    former_domains: Vec<String>,
}

impl FromRequestParts<App> for Cookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Self::Rejection> {
        let origin = Origin::of(parts, &app.settings);
        let secure = origin.as_ref().is_some_and(|origin| origin.scheme == "https");
        Ok(Self::of(app, &parts.headers, secure, origin.as_ref().map(Origin::host)))
    }
}

impl Cookies {
    /// The cookies among `headers`, and those to set for `host`.
    pub fn of(app: &App, headers: &HeaderMap, secure: bool, host: Option<&str>) -> Self {
        let domain = host.and_then(|host| app.cookie_domain(host));
        // A replica of the version before would not find the session.
        let is_read = || app.services.keys.everywhere(Capability::TenantCookies);
        Self {
            own_sessions: if secure { sent(headers, SECURE_SESSION) } else { Vec::new() },
            sessions: sent(headers, SESSION),
            browser: only(sent(headers, browser_name(secure))),
            is_host_bound: secure && domain.is_none() && is_read(),
            secure,
            host: host.map(str::to_owned),
            domain,
            former_domains: host.map(|host| app.cookie_domains(host)).unwrap_or_default(),
        }
    }

    /// Who is signed in in this browser at this tenant: by the cookie that only this host can set; without one, by the
    /// others. Where these are of several people, a neighbour planted one, and nobody can tell which: nobody is signed in.
    pub async fn signed_in(&self, issuer: &Issuer) -> Result<Option<SignedIn>> {
        // One from before a domain was chosen would reach no application, and the browser would go in circles.
        for cookie in self.own_sessions.iter().filter(|_| self.domain.is_none()) {
            if let Some(signed_in) = living(issuer, cookie).await? {
                return Ok(Some(signed_in));
            }
        }
        let mut found: Option<SignedIn> = None;
        for cookie in &self.sessions {
            // A session of that other cookie can only be planted here.
            let Some(other) = living(issuer, cookie).await?.filter(|other| !other.session.is_host_bound) else {
                continue;
            };
            match &found {
                Some(first) if first.session.identity.subject != other.session.identity.subject => {
                    tracing::info!("two session cookies of different people, so nobody is signed in");
                    return Ok(None);
                }
                Some(_) => {}
                None => found = Some(other),
            }
        }
        Ok(found)
    }

    /// Whether a session that begins now gets a cookie that only this host can set.
    pub fn is_host_bound(&self) -> bool {
        self.is_host_bound
    }

    /// Whether a browser sends the session cookie to `host`, too.
    pub fn reaches(&self, host: &str) -> bool {
        self.host.as_deref() == Some(host) || self.domain.as_deref().is_some_and(|domain| covers(domain, host))
    }

    /// Whether the cookies are only for https.
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// The value that identifies this browser: the one it sent, or a fresh one with the cookie to set.
    pub fn browser(&self, issuer: &Issuer) -> (String, Option<SetCookie>) {
        match &self.browser {
            Some(value) => (value.clone(), None),
            None => {
                let value = issuer.services.random.token();
                let cookie = self.build(browser_name(self.secure), value.clone(), None, None);
                (value, Some(cookie))
            }
        }
    }

    /// The value that identifies this browser, if it sent one.
    pub fn own_browser(&self) -> Option<&str> {
        self.browser.as_deref()
    }

    /// Whether the request comes from the browser with this value.
    pub fn is_browser(&self, expected: &str) -> bool {
        self.browser.as_ref().is_some_and(|own| own.as_bytes().ct_eq(expected.as_bytes()).into())
    }

    /// The CSRF token in the forms of a signed-in person. It is derived from the cookie, which no other site knows.
    pub fn form_token(&self, cookie: &str) -> String {
        digest(&format!("form\n{cookie}"))
    }

    /// Whether `token` is the one of [`Cookies::form_token`].
    pub fn is_form_token(&self, cookie: &str, token: &str) -> bool {
        self.form_token(cookie).as_bytes().ct_eq(token.as_bytes()).into()
    }

    /// Extends the life of the session cookie.
    pub fn keep_session(&self, value: String, life: Duration) -> SetCookie {
        let name = if self.is_host_bound { SECURE_SESSION } else { SESSION };
        self.build(name, value, Some(life), self.domain.clone())
    }

    /// Sets the session cookie, and removes those that the host may still have from before.
    pub fn begin_session(&self, value: String, life: Duration) -> SetCookies {
        let mut cookies = Vec::new();
        if self.domain.is_some() || self.is_host_bound {
            cookies.push(self.removal(SESSION, None));
        }
        if !self.own_sessions.is_empty() && !self.is_host_bound {
            cookies.push(self.removal(SECURE_SESSION, None));
        }
        cookies.push(self.keep_session(value, life));
        SetCookies(cookies)
    }

    /// Removes the session cookie, on the host and on every domain it may have been set for.
    pub fn end_session(&self) -> Vec<SetCookie> {
        let mut cookies = vec![self.removal(SESSION, None)];
        if !self.own_sessions.is_empty() {
            cookies.push(self.removal(SECURE_SESSION, None));
        }
        cookies.extend(self.former_domains.iter().map(|domain| self.removal(SESSION, Some(domain.clone()))));
        cookies
    }

    fn removal(&self, name: &'static str, domain: Option<String>) -> SetCookie {
        self.build(name, String::new(), Some(Duration::ZERO), domain)
    }

    fn build(&self, name: &'static str, value: String, life: Option<Duration>, domain: Option<String>) -> SetCookie {
        let mut cookie = Cookie::new(name, value);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_secure(self.secure);
        cookie.set_same_site(SameSite::Lax);
        if let Some(life) = life {
            cookie.set_max_age(CookieDuration::seconds(i64::try_from(life.as_secs()).unwrap_or(i64::MAX)));
        }
        if let Some(domain) = domain {
            cookie.set_domain(domain);
        }
        SetCookie(cookie.to_string())
    }
}

/// The session behind a cookie, if it lives.
async fn living(issuer: &Issuer, cookie: &str) -> Result<Option<SignedIn>> {
    let Some(session) = Session::find(&issuer.store, cookie).await? else { return Ok(None) };
    let has_ended = issuer.signer().await?.has_ended(session.authentication.time);
    if has_ended {
        return Ok(None);
    }
    stay::as_listed(issuer, SignedIn { cookie: cookie.to_owned(), session }).await
}

/// The value, if all cookies of the name have the same.
fn only(mut values: Vec<String>) -> Option<String> {
    values.dedup();
    values.pop().filter(|_| values.is_empty())
}

/// The values of all cookies of that name, the most specific first.
fn sent(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = lines.flat_map(Cookie::split_parse).flatten();
    let ours = cookies.filter(|cookie| cookie.name() == name && is_ours(cookie.value()));
    ours.map(|cookie| cookie.value().to_owned()).take(MOST).collect()
}

fn browser_name(secure: bool) -> &'static str {
    if secure { SECURE_BROWSER } else { BROWSER }
}

/// Whether a value could be one of [`crate::random::Random::token`].
fn is_ours(value: &str) -> bool {
    value.len() == 43 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// One `Set-Cookie` header.
#[derive(Clone, Debug)]
pub struct SetCookie(String);

impl IntoResponseParts for SetCookie {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> std::result::Result<ResponseParts, Self::Error> {
        // Name, value and attributes are ours or checked at load, so this cannot fail; if it did, no cookie is safer
        // than half a cookie.
        if let Ok(value) = HeaderValue::try_from(self.0) {
            parts.headers_mut().append(header::SET_COOKIE, value);
        }
        Ok(parts)
    }
}

/// Several `Set-Cookie` headers.
pub struct SetCookies(pub Vec<SetCookie>);

impl IntoResponseParts for SetCookies {
    type Error = Infallible;

    fn into_response_parts(self, parts: ResponseParts) -> std::result::Result<ResponseParts, Self::Error> {
        self.0.into_iter().try_fold(parts, |parts, cookie| cookie.into_response_parts(parts))
    }
}
