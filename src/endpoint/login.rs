//! `GET POST /login`: who are you? Knows neither clients nor grants; it only resumes what it interrupted.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use zeroize::Zeroizing;

use crate::issuer::Issuer;
use crate::login::Credentials;
use crate::page::{LoginError, Page};
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::session::Identity;
use crate::session::Session;
use crate::session::interaction::{Interaction, Resume};
use crate::sso::sign_in::{SignIn, sign_in};
use crate::sso::sign_out;
use crate::store::Batch;
use crate::web::browser_hint::browser_hint;
use crate::web::cookies::{Cookies, SetCookies};
use crate::web::form::Form;
use crate::web::page_context::PageContext;
use crate::web::steps;

/// How many applications behind the interceptor one session remembers.
const MAX_HOSTS: usize = 50;

/// The login page for a pending step; without one, the sign-in leads to the index page or to `for`.
pub async fn get(issuer: Issuer, cookies: Cookies, page: PageContext, Form(parameters): Form) -> Result<Response> {
    let Some(id) = parameters.one("interaction")? else {
        let ui_locales = parameters.owned("ui_locales")?;
        return arrive(&issuer, &cookies, destination(&issuer, &parameters)?, ui_locales).await;
    };
    Ok(match steps::find(&issuer, &cookies, id).await? {
        Some(interaction) => show(
            &issuer,
            &page,
            StatusCode::OK,
            Asked { id, interaction: &interaction.record, username: None, error: None },
        ),
        None => expired(&issuer, &cookies, &page, None).await?,
    })
}

/// The filled-in form.
pub async fn post(
    issuer: Issuer,
    cookies: Cookies,
    page: PageContext,
    headers: HeaderMap,
    Form(parameters): Form,
) -> Result<Response> {
    let id = parameters.one("interaction")?.unwrap_or_default();
    let ui_locales = parameters.one("ui_locales")?;
    let Some(found) = steps::find(&issuer, &cookies, id).await? else {
        return expired(&issuer, &cookies, &page, ui_locales).await;
    };
    if let Resume::Authorize(pending) = &found.record.resume {
        tracing::Span::current().record("client", &*pending.client_id);
    }
    let username = parameters.one("username")?.unwrap_or_default();
    let password = Zeroizing::new(parameters.text("password")?.unwrap_or_default().to_owned());
    let grant_type = found.record.resume.grant_type();
    let credentials = Credentials { username: username.to_owned(), password, grant_type };
    let attempt = sign_in(&issuer, credentials, issuer.caller, cookies.own_browser()).await;
    let again = |status, error| {
        let asked = Asked { id, interaction: &found.record, username: Some(username), error: Some(error) };
        show(&issuer, &page, status, asked)
    };
    match attempt {
        Ok(SignIn::Proven(identity, batch)) => {
            let previous = cookies.session(&issuer).await?;
            let sid = sid(&issuer, previous.as_ref(), &identity);
            let to = Interaction { signed_in: Some(sid.clone()), ..found.record.clone() };
            let batch = steps::update(&issuer, id, &found, &to, batch)?;
            let came = Came { browser: browser_hint(&headers), application: application(&to.resume) };
            let beginning = Beginning { sid, identity, came };
            let Some(cookies) = begin_session(&issuer, &cookies, previous, beginning, batch).await? else {
                return expired(&issuer, &cookies, &page, ui_locales).await;
            };
            Ok((cookies, Redirect::to(&steps::location(&to.resume, id))).into_response())
        }
        Ok(SignIn::Refused) => Ok(again(StatusCode::FORBIDDEN, LoginError::InvalidCredentials)),
        Ok(SignIn::Wait(wait)) => {
            let told = [(header::RETRY_AFTER, wait.as_secs().to_string())];
            Ok((told, again(StatusCode::TOO_MANY_REQUESTS, LoginError::TooManyAttempts)).into_response())
        }
        Err(error) => {
            let cause = error.cause.as_ref().map(|cause| format!("{cause:#}"));
            tracing::error!(cause, "the login provider gave no answer");
            Ok(again(StatusCode::SERVICE_UNAVAILABLE, LoginError::Unavailable))
        }
    }
}

/// How a person came to sign in.
struct Came {
    browser: String,
    /// The host of the application behind the interceptor that they want to see.
    application: Option<String>,
}

/// The `sid` stays as long as the person does.
fn sid(issuer: &Issuer, previous: Option<&(String, Session)>, identity: &Identity) -> String {
    match previous {
        Some((_, session)) if session.identity.subject == identity.subject => session.sid.clone(),
        _ => issuer.services.random.identifier(),
    }
}

/// What a session begins with.
struct Beginning {
    sid: String,
    identity: Identity,
    came: Came,
}

/// A fresh cookie at every sign-in (session fixation), in one step with what `batch` holds; `None` when that cannot be.
async fn begin_session(
    issuer: &Issuer,
    cookies: &Cookies,
    previous: Option<(String, Session)>,
    Beginning { sid, identity, came }: Beginning,
    mut batch: Batch<'_>,
) -> Result<Option<SetCookies>> {
    let mut hosts: Vec<String> = came.application.into_iter().collect();
    match previous {
        Some((cookie, session)) if session.sid == sid => {
            let others: Vec<String> = session.hosts.into_iter().filter(|host| !hosts.contains(host)).collect();
            hosts.extend(others);
            hosts.truncate(MAX_HOSTS);
            batch = batch.remove::<Session>(&cookie);
        }
        // Whatever comes of the rest: somebody else is here now.
        Some((cookie, session)) => sign_out::session(issuer, &cookie, &session).await?,
        None => {}
    }
    let now = issuer.now();
    let life = issuer.services.lifetimes.session;
    let session = Session {
        sid,
        identity,
        auth_time: now,
        expires_at: now + life,
        confirmed_at: None,
        browser: came.browser,
        hosts,
    };
    let value = issuer.services.random.token();
    if !session.begin(&value, batch)?.commit().await? {
        return Ok(None);
    }
    Ok(Some(cookies.begin_session(value, life)))
}

/// What the page is told.
struct Asked<'a> {
    id: &'a str,
    interaction: &'a Interaction,
    username: Option<&'a str>,
    error: Option<LoginError>,
}

fn show(issuer: &Issuer, page: &PageContext, status: StatusCode, asked: Asked<'_>) -> Response {
    let pending = match &asked.interaction.resume {
        Resume::Authorize(pending) => Some(pending),
        _ => None,
    };
    let client = pending.and_then(|pending| issuer.client(&pending.client_id));
    let hint = pending.and_then(|pending| pending.request.login_hint.as_deref());
    let ui_locales = asked.interaction.ui_locales();
    let host = application(&asked.interaction.resume);
    let target: Vec<&str> = match &asked.interaction.resume {
        Resume::Authorize(pending) => vec![&pending.redirect_uri],
        Resume::Location(url) => vec![url],
        _ => Vec::new(),
    };
    let login = Page::Login {
        username: asked.username.filter(|name| !name.is_empty()).or(hint),
        error: asked.error,
        client: client.as_ref().map(|client| client.name.as_str()).or(host.as_deref()),
        fields: &steps::fields(asked.id, ui_locales),
    };
    page.clone().with_ui_locales(ui_locales).respond_towards(status, &login, &target)
}

/// The form was too old or came from another browser: a new one that leads to the index page.
async fn expired(issuer: &Issuer, cookies: &Cookies, page: &PageContext, ui_locales: Option<&str>) -> Result<Response> {
    let (browser, set_cookie) = cookies.browser(issuer);
    let interaction = Interaction::new(browser, Resume::Home, ui_locales.map(str::to_owned));
    let id = steps::store(issuer, &interaction).await?;
    let asked = Asked { id: &id, interaction: &interaction, username: None, error: Some(LoginError::Expired) };
    Ok((set_cookie, show(issuer, page, StatusCode::BAD_REQUEST, asked)).into_response())
}

/// Without an application that asked: a person from behind the interceptor who is signed in already goes back at once.
async fn arrive(issuer: &Issuer, cookies: &Cookies, resume: Resume, ui_locales: Option<String>) -> Result<Response> {
    let Resume::Location(target) = &resume else {
        return steps::begin(issuer, cookies, "/login", resume, ui_locales).await;
    };
    let url = url::Url::parse(target)?;
    // Otherwise the cookie would not arrive there, and the browser would be sent round in circles.
    if !url.host_str().is_some_and(|host| cookies.reaches(host)) {
        return Err(OAuthError::invalid_request(
            "a sign-in here does not reach that application: interceptor.cookie does not cover its host",
        ));
    }
    let arrives = !cookies.secure() || url.scheme() == "https";
    let silent = issuer.tenant.silent_login && arrives;
    if silent && cookies.session(issuer).await?.is_some() {
        return Ok(Redirect::to(target).into_response());
    }
    steps::begin(issuer, cookies, "/login", resume, ui_locales).await
}

/// The host of the application behind the interceptor that is waited for.
fn application(resume: &Resume) -> Option<String> {
    match resume {
        Resume::Location(target) => url::Url::parse(target).ok()?.host_str().map(str::to_owned),
        _ => None,
    }
}

/// Where a sign-in leads that no application asked for: to `for` if it is a page of one of the tenant's hosts.
fn destination(issuer: &Issuer, parameters: &Parameters) -> Result<Resume> {
    let Some(target) = parameters.one("for")? else { return Ok(Resume::Home) };
    Ok(match url::Url::parse(target) {
        Ok(url) if is_own_page(issuer, &url) && !target.contains('\\') => Resume::Location(url.into()),
        _ => Resume::Home,
    })
}

fn is_own_page(issuer: &Issuer, url: &url::Url) -> bool {
    let plain = url.username().is_empty() && url.password().is_none();
    let web = matches!(url.scheme(), "http" | "https");
    plain && web && url.host_str().is_some_and(|host| issuer.serves_host(host))
}
