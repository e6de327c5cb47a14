//! `GET POST /login`: the login form. Decides nothing about clients or grants; it only resumes what it interrupted.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use zeroize::Zeroizing;

use crate::issuer::Issuer;
use crate::login::Credentials;
use crate::page::{LoginError, Page};
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::session::SignedIn;
use crate::session::interaction::Resume;
use crate::sso::begin::{self, Arrival};
use crate::sso::sign_in::{SignIn, sign_in};
use crate::web::browser_hint::browser_hint;
use crate::web::form::Form;
use crate::web::steps::{self, Step};
use crate::web::visit::Visit;

/// The login page for a pending step; without one, the sign-in leads to the index page or to `for`.
pub async fn get(visit: Visit, Form(parameters): Form) -> Result<Response> {
    let Some(id) = parameters.one("interaction")? else {
        let ui_locales = parameters.owned("ui_locales")?;
        return arrive(&visit, destination(&visit.issuer, &parameters)?, ui_locales).await;
    };
    match steps::find(&visit, id).await? {
        Some(step) => show(&visit, StatusCode::OK, LoginForm::of(&step)).await,
        None => expired(&visit, None).await,
    }
}

/// The submitted form.
pub async fn post(visit: Visit, headers: HeaderMap, Form(parameters): Form) -> Result<Response> {
    let Visit { issuer, cookies, .. } = &visit;
    let id = parameters.one("interaction")?.unwrap_or_default();
    let ui_locales = parameters.one("ui_locales")?;
    let Some(step) = steps::find(&visit, id).await? else { return expired(&visit, ui_locales).await };
    if let Resume::Authorize(pending) = &step.resume {
        tracing::Span::current().record("client", &*pending.client_id);
    }
    let username = parameters.one("username")?.unwrap_or_default();
    let password = Zeroizing::new(parameters.text("password")?.unwrap_or_default().to_owned());
    let grant_type = step.resume.grant_type();
    let credentials = Credentials { username: username.to_owned(), password, grant_type };
    let attempt = sign_in(issuer, credentials, issuer.caller, cookies.own_browser()).await;
    let mut retry_after = None;
    let (status, error) = match attempt {
        Ok(SignIn::Proven { identity, authentication, batch }) => {
            let previous = cookies.signed_in(issuer).await?;
            let sid = begin::sid(issuer, previous.as_ref(), &identity);
            let batch = step.signed_in(issuer, &sid, &identity.subject, batch)?;
            let (browser, application) = (browser_hint(&headers), application(&step.resume));
            let is_host_bound = cookies.is_host_bound();
            let arrival = Arrival { identity: *identity, authentication, browser, application, is_host_bound };
            let Some(SignedIn { cookie, .. }) = begin::begin(issuer, sid, arrival, previous, batch).await? else {
                return expired(&visit, ui_locales).await;
            };
            let cookies = cookies.begin_session(cookie, issuer.services.lifetimes.session);
            return Ok((cookies, step.go_on()).into_response());
        }
        Ok(SignIn::Refused) => (StatusCode::FORBIDDEN, LoginError::InvalidCredentials),
        Ok(SignIn::Wait(wait)) => {
            retry_after = Some([(header::RETRY_AFTER, wait.as_secs().to_string())]);
            (StatusCode::TOO_MANY_REQUESTS, LoginError::TooManyAttempts)
        }
        Err(error) => {
            let cause = error.cause.as_ref().map(|cause| format!("{cause:#}"));
            tracing::error!(cause, "the login provider gave no answer");
            (StatusCode::SERVICE_UNAVAILABLE, LoginError::Unavailable)
        }
    };
    let form = LoginForm { username: Some(username), error: Some(error), ..LoginForm::of(&step) };
    Ok((retry_after, show(&visit, status, form).await?).into_response())
}

/// What the login page shows.
struct LoginForm<'a> {
    step: &'a str,
    resume: &'a Resume,
    ui_locales: Option<&'a str>,
    username: Option<&'a str>,
    error: Option<LoginError>,
}

impl<'a> LoginForm<'a> {
    /// The empty form of a step.
    fn of(step: &'a Step) -> Self {
        let (ui_locales, value) = (step.ui_locales(), &*step.value);
        Self { step: value, resume: &step.resume, ui_locales, username: None, error: None }
    }
}

async fn show(visit: &Visit, status: StatusCode, form: LoginForm<'_>) -> Result<Response> {
    let pending = match form.resume {
        Resume::Authorize(pending) => Some(pending),
        _ => None,
    };
    let client = match pending {
        Some(pending) => visit.issuer.client(&pending.client_id).await?,
        None => None,
    };
    let hint = pending.and_then(|pending| pending.request.login_hint.as_deref());
    let host = application(form.resume);
    let target: Vec<&str> = match form.resume {
        Resume::Authorize(pending) => vec![&pending.redirect_uri],
        Resume::Location(url) => vec![url],
        _ => Vec::new(),
    };
    let login = Page::Login {
        username: form.username.filter(|name| !name.is_empty()).or(hint),
        error: form.error,
        client: client.as_ref().map(|client| client.name.as_str()).or(host.as_deref()),
        fields: &steps::fields(form.step, form.ui_locales),
    };
    Ok(visit.page.clone().with_ui_locales(form.ui_locales).respond_towards(status, &login, &target))
}

/// The form was too old or came from another browser: shows a new one that leads to the index page.
async fn expired(visit: &Visit, ui_locales: Option<&str>) -> Result<Response> {
    let (step, set_cookie) = steps::make(visit, Resume::Home, ui_locales.map(str::to_owned)).await?;
    let error = Some(LoginError::Expired);
    let form = LoginForm { step: &step, resume: &Resume::Home, ui_locales, username: None, error };
    Ok((set_cookie, show(visit, StatusCode::BAD_REQUEST, form).await?).into_response())
}

/// A sign-in without a pending request: a person from behind the interceptor who is signed in already returns at once.
async fn arrive(visit: &Visit, resume: Resume, ui_locales: Option<String>) -> Result<Response> {
    let Visit { issuer, cookies, .. } = visit;
    if let Resume::Location(target) = &resume {
        let url = url::Url::parse(target)?;
        // Otherwise the cookie would not reach it, and the browser would be redirected in a loop.
        if !url.host_str().is_some_and(|host| cookies.reaches(host)) {
            return Err(OAuthError::invalid_request(
                "a sign-in here does not reach that application: interceptor.cookie does not cover its host",
            ));
        }
        let arrives = !cookies.secure() || url.scheme() == "https";
        let silent = issuer.tenant.silent_login && arrives;
        if silent && cookies.signed_in(issuer).await?.is_some() {
            return Ok(Redirect::to(target).into_response());
        }
    }
    steps::begin(visit, "/login", resume, ui_locales).await
}

/// The host of the application behind the interceptor, if the sign-in is for one.
fn application(resume: &Resume) -> Option<String> {
    match resume {
        Resume::Location(target) => url::Url::parse(target).ok()?.host_str().map(str::to_owned),
        _ => None,
    }
}

/// Where a sign-in without a pending request leads: to `for` if that is a page of one of the tenant's hosts.
fn destination(issuer: &Issuer, parameters: &Parameters) -> Result<Resume> {
    let Some(target) = parameters.one("for")? else { return Ok(Resume::Home) };
    Ok(match url::Url::parse(target) {
        Ok(url) if is_own_page(issuer, &url) && !target.contains('\\') => Resume::Location(url.into()),
        _ => Resume::Home,
    })
}

/// Whether scheme and port are the tenant's. Cookies ignore both, and whoever else listens on one of its hosts would get
/// the browser, with its cookies. A server without https has no scheme to protect, and often other ports.
fn is_declared(issuer: &Issuer, url: &url::Url) -> bool {
    let tenant = &issuer.tenant;
    let login = tenant.interceptor.domain.as_deref().and_then(|domain| domain.rsplit_once(':')?.1.parse().ok());
    let port_of_issuer = || url::Url::parse(&issuer.url).ok().and_then(|issuer| issuer.port());
    match url.scheme() {
        "https" => url
            .port()
            .is_none_or(|port| tenant.ports.contains(&port) || login == Some(port) || port_of_issuer() == Some(port)),
        "http" => issuer.url.starts_with("http://"),
        _ => false,
    }
}

fn is_own_page(issuer: &Issuer, url: &url::Url) -> bool {
    let plain = url.username().is_empty() && url.password().is_none();
    plain && is_declared(issuer, url) && url.host_str().is_some_and(|host| issuer.serves_host(host))
}
