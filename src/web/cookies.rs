//! The two cookies: the session's, and the one that tells browsers apart before anybody has signed in.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponseParts, ResponseParts};
use cookie::time::Duration as CookieDuration;
use cookie::{Cookie, SameSite};

use super::forwarded::Origin;
use crate::app::App;
use crate::issuer::Issuer;
use crate::login::session::Session;
use crate::protocol::error::Result;

/// The session's cookie. Operators' proxies and applications know this name.
pub const SESSION: &str = "uitsmijter-sso";

/// Ties pending steps to the browser in which they began.
pub const BROWSER: &str = "uitsmijter-browser";

/// The same over https: browsers take a cookie of such a name from this very host alone (RFC 6265bis §4.1.3.2), so a
/// neighbour below the same domain cannot plant its own and have somebody finish a step that it began.
pub const SECURE_BROWSER: &str = "__Host-uitsmijter-browser";

/// Most values of one name that are looked at: the host's own, the domain's, and one more.
const MOST: usize = 3;

/// The cookies of a request, and how to set others for the same host.
#[derive(Clone, Debug)]
pub struct Cookies {
    /// Usually one; another one may linger from before the operator chose a domain, or come from a neighbour.
    sessions: Vec<String>,
    browser: Option<String>,
    secure: bool,
    /// The cookie domain that the operator configured for this host.
    domain: Option<String>,
}

impl FromRequestParts<App> for Cookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Self::Rejection> {
        let origin = Origin::of(parts, &app.settings);
        let secure = origin.as_ref().is_some_and(|origin| origin.scheme == "https");
        let find = |name: &str| -> Vec<String> {
            let headers = parts.headers.get_all(header::COOKIE).iter();
            let pairs = headers.filter_map(|value| value.to_str().ok()).flat_map(Cookie::split_parse);
            let ours = pairs.flatten().filter(|cookie| cookie.name() == name && is_ours(cookie.value()));
            ours.take(MOST).map(|cookie| cookie.value().to_owned()).collect()
        };
        Ok(Self {
            sessions: find(SESSION),
            browser: find(browser_name(secure)).pop(),
            secure,
            domain: origin.and_then(|origin| app.cookie_domain(origin.host())),
        })
    }
}

impl Cookies {
    /// The living session of this browser at this tenant, with the value of its cookie.
    pub async fn session(&self, issuer: &Issuer) -> Result<Option<(String, Session)>> {
        for value in &self.sessions {
            if let Some(session) = Session::find(&issuer.store, value).await? {
                return Ok(Some((value.clone(), session)));
            }
        }
        Ok(None)
    }

    /// The value that tells this browser apart: the one it sent, or a fresh one with the cookie to set.
    pub fn browser(&self, issuer: &Issuer) -> (String, Option<SetCookie>) {
        match &self.browser {
            Some(value) => (value.clone(), None),
            None => {
                let value = issuer.random.token();
                let cookie = self.build(browser_name(self.secure), value.clone(), None, None);
                (value, Some(cookie))
            }
        }
    }

    /// Whether the request comes from the browser with this value.
    pub fn is_browser(&self, expected: &str) -> bool {
        use subtle::ConstantTimeEq;
        self.browser.as_ref().is_some_and(|own| own.as_bytes().ct_eq(expected.as_bytes()).into())
    }

    /// Sets the session's cookie, and where it is for a domain, removes the one that the host alone may still have.
    pub fn begin_session(&self, value: String, life: Duration) -> SetCookies {
        let session = self.build(SESSION, value, Some(life), self.domain.clone());
        let lingering = self.domain.is_some().then(|| self.removal(None));
        SetCookies(lingering.into_iter().chain([session]).collect())
    }

    /// Removes the session's cookie, on the host and on the domain it may have been set for.
    pub fn end_session(&self) -> Vec<SetCookie> {
        let mut cookies = vec![self.removal(None)];
        cookies.extend(self.domain.clone().map(|domain| self.removal(Some(domain))));
        cookies
    }

    fn removal(&self, domain: Option<String>) -> SetCookie {
        self.build(SESSION, String::new(), Some(Duration::ZERO), domain)
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
