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

/// The cookies of a request, and how to set others for the same host.
#[derive(Clone, Debug)]
pub struct Cookies {
    session: Option<String>,
    browser: Option<String>,
    secure: bool,
    /// The cookie domain that the operator configured for this host.
    domain: Option<String>,
}

impl FromRequestParts<App> for Cookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Self::Rejection> {
        let origin = Origin::of(parts, &app.settings);
        let find = |name: &str| {
            let headers = parts.headers.get_all(header::COOKIE).iter();
            let pairs = headers.filter_map(|value| value.to_str().ok()).flat_map(Cookie::split_parse);
            // Our values are 43 characters; whatever is much longer is not ours.
            pairs
                .flatten()
                .find(|cookie| cookie.name() == name && cookie.value().len() <= 128)
                .map(|c| c.value().to_owned())
        };
        Ok(Self {
            session: find(SESSION),
            browser: find(BROWSER),
            secure: origin.as_ref().is_some_and(|origin| origin.scheme == "https"),
            domain: origin.and_then(|origin| app.cookie_domain(origin.host())),
        })
    }
}

impl Cookies {
    /// The living session of this browser at this tenant, with the value of its cookie.
    pub async fn session(&self, issuer: &Issuer) -> Result<Option<(String, Session)>> {
        let Some(value) = &self.session else { return Ok(None) };
        Ok(Session::find(&issuer.store, value).await?.map(|session| (value.clone(), session)))
    }

    /// The value that tells this browser apart: the one it sent, or a fresh one with the cookie to set.
    pub fn browser(&self, issuer: &Issuer) -> (String, Option<SetCookie>) {
        match &self.browser {
            Some(value) => (value.clone(), None),
            None => {
                let value = issuer.random.token();
                let cookie = self.build(BROWSER, value.clone(), None, None);
                (value, Some(cookie))
            }
        }
    }

    /// Whether the request comes from the browser with this value.
    pub fn is_browser(&self, expected: &str) -> bool {
        use subtle::ConstantTimeEq;
        self.browser.as_ref().is_some_and(|own| own.as_bytes().ct_eq(expected.as_bytes()).into())
    }

    /// Sets the session's cookie.
    pub fn begin_session(&self, value: String, life: Duration) -> SetCookie {
        self.build(SESSION, value, Some(life), self.domain.clone())
    }

    /// Removes the session's cookie, on the host and on the domain it may have been set for.
    pub fn end_session(&self) -> Vec<SetCookie> {
        let removal = |domain| self.build(SESSION, String::new(), Some(Duration::ZERO), domain);
        let mut cookies = vec![removal(None)];
        cookies.extend(self.domain.clone().map(|domain| removal(Some(domain))));
        cookies
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
