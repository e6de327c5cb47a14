//! `/interceptor`: forward-auth. A proxy asks whether a request may pass to the application behind it, and who sent it.

use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::issuer::Issuer;
use crate::origin::Origin;
use crate::protocol::error::Result;
use crate::session::{Session, SignedIn};
use crate::sso::stay::{Stay, prolonged};
use crate::web::cookies::Cookies;
use crate::web::error::{UNKNOWN_HOST, said};
use crate::web::original_url::OriginalUrl;

/// The header with the person's token for the application behind the proxy.
const USER_HEADER: &str = "x-user-ident";

/// Any method, because some proxies forward that of the original request.
pub async fn any(State(app): State<App>, parts: Parts) -> Result<Response> {
    let (original, issuer, login) = match protected(&app, &parts) {
        Ok(found) => found,
        Err(description) => {
            app.turned_away.tell(app.services.clock.now(), description, &named_host(&parts));
            return Ok(said(StatusCode::FORBIDDEN, "access_denied", description));
        }
    };
    let host = original.url.host_str().unwrap_or_default();
    let secure = app.settings.secure || original.url.scheme() == "https";
    let cookies = Cookies::of(&app, &parts.headers, secure, Some(host));
    let entered = |session: &Session| issuer.tenant.silent_login || session.hosts.iter().any(|own| own == host);
    let stays = match cookies.signed_in(&issuer).await?.filter(|signed_in| entered(&signed_in.session)) {
        Some(signed_in) => prolonged(&issuer, signed_in).await?,
        None => None,
    };
    let token = match &stays {
        Some(Stay { signed_in, .. }) => app.passes.of(&issuer, signed_in, &original.origin()).await?,
        None => None,
    };
    count(&issuer, token.is_some());
    match stays.zip(token) {
        Some((Stay { signed_in: SignedIn { cookie, session }, is_prolonged }, token)) => {
            let life = issuer.services.lifetimes.session;
            let prolonged = is_prolonged.then(|| cookies.keep_session(cookie, life));
            Ok((prolonged, pass(&session, &token)?).into_response())
        }
        None => {
            // Everybody from there is refused at the login page; only the operator can fix it.
            if !Cookies::of(&app, &parts.headers, false, Some(login.host())).reaches(host) {
                tracing::error!(host, "interceptor.cookie does not cover an application; nobody can enter it");
            }
            Ok(sign_in_first(&original, &login, &parts.headers))
        }
    }
}

/// The original URL, the issuer of its tenant at the login page, and the origin of that page.
///
/// Errors: why nobody may pass. Always a 403: nginx treats a 404 as an internal error.
fn protected(app: &App, parts: &Parts) -> std::result::Result<(OriginalUrl, Issuer, Origin), &'static str> {
    let original = OriginalUrl::of(parts, &app.settings)?;
    let snapshot = app.registry.current();
    let tenant = original.url.host_str().and_then(|host| snapshot.tenant_by_host(host)).ok_or(UNKNOWN_HOST)?;
    tracing::Span::current().record("tenant", &*tenant.name);
    if !tenant.interceptor.enabled {
        return Err("the interceptor is switched off for this tenant");
    }
    let login = app.login_origin(tenant, original.url.scheme());
    let found = login.and_then(|login| Some((app.issuer(&login)?, login)));
    match found.filter(|(issuer, _)| issuer.tenant.name == tenant.name) {
        Some((issuer, login)) => Ok((original, issuer, login)),
        None => {
            tracing::error!("interceptor.domain does not lead to the tenant; nobody can sign in at its applications");
            Err("the login page of this tenant is not configured")
        }
    }
}

/// The host of a refused request, for the log; unverified.
fn named_host(parts: &Parts) -> String {
    let told =
        ["x-original-url", "x-forwarded-host", header::HOST.as_str()].iter().find_map(|name| parts.headers.get(*name));
    let told = told.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default();
    // Only the host of a URL: the rest may be a person's secret.
    let authority = told.split_once("://").map_or(told.as_str(), |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

/// The request may pass, with these headers.
fn pass(session: &Session, token: &str) -> Result<Response> {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}"))?);
    headers.insert(USER_HEADER, HeaderValue::from_bytes(session.identity.subject.as_bytes())?);
    Ok(response)
}

/// Redirects to the login page if the request comes from a window. For a script a page is useless.
fn sign_in_first(original: &OriginalUrl, login: &Origin, headers: &HeaderMap) -> Response {
    let back = form_urlencoded::Serializer::new(String::new()).append_pair("for", original.url.as_str()).finish();
    let location = format!("{}://{}/login?{back}&mode=interceptor", login.scheme, login.authority);
    let status = match original.method {
        _ if !original.redirects || !shows_pages(headers) => StatusCode::UNAUTHORIZED,
        Method::GET | Method::HEAD => StatusCode::TEMPORARY_REDIRECT,
        // The body of a form must not be sent to the login page.
        _ => StatusCode::SEE_OTHER,
    };
    let mut response =
        (status, [(header::CACHE_CONTROL, "no-store"), (header::VARY, "accept, cookie")]).into_response();
    if let (true, Ok(location)) = (shows_pages(headers), HeaderValue::try_from(location)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Whether the response is for a window and not for a script, an image or a program that does not accept HTML.
fn shows_pages(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let for_window = text("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    let by_script = text("x-requested-with").is_some_and(|by| by.eq_ignore_ascii_case("XMLHttpRequest"));
    for_window && !by_script && text(header::ACCEPT.as_str()).is_none_or(accepts_html)
}

/// RFC 9110 §12.5.1.
fn accepts_html(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        matches!(kind.as_str(), "text/html" | "application/xhtml+xml" | "text/*" | "*/*") && !refused
    })
}

fn count(issuer: &Issuer, passed: bool) {
    issuer.count(|counters| if passed { &counters.interceptor_success } else { &counters.interceptor_failure });
}

#[cfg(test)]
mod tests {
    use super::accepts_html;

    #[test]
    fn html_is_accepted_by_name_or_by_a_range() {
        for accept in ["text/html", "application/json, TEXT/HTML;q=0.1", "*/*", "text/*;q=0.5"] {
            assert!(accepts_html(accept), "{accept}");
        }
        for accept in ["application/json", "image/*", "text/html;q=0", ""] {
            assert!(!accepts_html(accept), "{accept}");
        }
    }
}
