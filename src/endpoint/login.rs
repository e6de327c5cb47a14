//! `GET POST /login`: who are you? Knows neither clients nor grants; it only resumes what it interrupted.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use zeroize::Zeroizing;

use crate::issuer::Issuer;
use crate::login::interaction::{Interaction, Resume};
use crate::login::session::Session;
use crate::login::{Credentials, Identity};
use crate::metrics::OfTenant;
use crate::protocol::error::Result;
use crate::protocol::parameters::Parameters;
use crate::web::cookies::{Cookies, SetCookies};
use crate::web::form::Form;
use crate::web::page_context::PageContext;
use crate::web::pages::{LoginError, Page};
use crate::web::steps;

/// The login page for a pending step; without one, the sign-in leads to the index page or to `for`.
pub async fn get(issuer: Issuer, cookies: Cookies, page: PageContext, Form(parameters): Form) -> Result<Response> {
    let Some(id) = parameters.one("interaction")? else {
        return steps::begin(&issuer, &cookies, "/login", destination(&issuer, &parameters)?).await;
    };
    Ok(match steps::find(&issuer, &cookies, id).await? {
        Some(interaction) => show(
            &issuer,
            &page,
            StatusCode::OK,
            Asked { id, interaction: &interaction.record, username: None, error: None },
        ),
        None => expired(&issuer, &cookies, &page).await?,
    })
}

/// The filled-in form.
pub async fn post(issuer: Issuer, cookies: Cookies, page: PageContext, Form(parameters): Form) -> Result<Response> {
    let id = parameters.one("interaction")?.unwrap_or_default();
    let Some(found) = steps::find(&issuer, &cookies, id).await? else {
        return expired(&issuer, &cookies, &page).await;
    };
    let username = parameters.one("username")?.unwrap_or_default();
    let password = Zeroizing::new(parameters.text("password")?.unwrap_or_default().to_owned());
    let credentials = Credentials { username: username.to_owned(), password, grant_type: "authorization_code" };
    let attempt = match username.is_empty() || credentials.password.is_empty() {
        true => Ok(None),
        false => issuer.login.login(&issuer.tenant, credentials).await,
    };
    count(&issuer, matches!(attempt, Ok(Some(_))));
    let again = |status, error| {
        let asked = Asked { id, interaction: &found.record, username: Some(username), error: Some(error) };
        show(&issuer, &page, status, asked)
    };
    match attempt {
        Ok(Some(identity)) => {
            let previous = cookies.session(&issuer).await?;
            let sid = sid(&issuer, previous.as_ref(), &identity);
            let to = Interaction { signed_in: Some(sid.clone()), ..found.record.clone() };
            if !steps::update(&issuer, id, &found, &to).await? {
                return expired(&issuer, &cookies, &page).await;
            }
            let cookies = begin_session(&issuer, &cookies, previous, sid, identity).await?;
            Ok((cookies, Redirect::to(&steps::location(&to.resume, id))).into_response())
        }
        Ok(None) => Ok(again(StatusCode::FORBIDDEN, LoginError::InvalidCredentials)),
        Err(error) => {
            tracing::error!(cause = format!("{error:#}"), "the login provider gave no answer");
            Ok(again(StatusCode::SERVICE_UNAVAILABLE, LoginError::Unavailable))
        }
    }
}

fn count(issuer: &Issuer, succeeded: bool) {
    let (metrics, label) = (&issuer.metrics, OfTenant::named(&issuer.tenant.name));
    metrics.login_attempts.get_or_create(&label).inc();
    let outcome = if succeeded { &metrics.login_success } else { &metrics.login_failure };
    outcome.get_or_create(&label).inc();
}

/// The `sid` stays as long as the person does.
fn sid(issuer: &Issuer, previous: Option<&(String, Session)>, identity: &Identity) -> String {
    match previous {
        Some((_, session)) if session.identity.subject == identity.subject => session.sid.clone(),
        _ => issuer.random.identifier(),
    }
}

/// A fresh cookie at every sign-in (session fixation).
async fn begin_session(
    issuer: &Issuer,
    cookies: &Cookies,
    previous: Option<(String, Session)>,
    sid: String,
    identity: Identity,
) -> Result<SetCookies> {
    match previous {
        Some((cookie, session)) if session.sid == sid => issuer.store.remove::<Session>(&cookie).await?,
        Some((cookie, session)) => Session::end(&issuer.store, &cookie, &session).await?,
        None => {}
    }
    let now = issuer.now();
    let life = issuer.lifetimes.session;
    tracing::info!(tenant = &*issuer.tenant.name, subject = identity.subject, "signed in");
    let session = Session { sid, identity, auth_time: now, expires_at: now + life };
    let value = issuer.random.token();
    Session::begin(&issuer.store, &value, &session).await?;
    Ok(cookies.begin_session(value, life))
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
    let ui_locales = pending.and_then(|pending| pending.request.ui_locales.as_deref());
    let target: Vec<&str> = pending.iter().map(|pending| pending.redirect_uri.as_str()).collect();
    let login = Page::Login {
        username: asked.username.filter(|name| !name.is_empty()).or(hint),
        error: asked.error,
        client: client.as_ref().map(|client| client.name.as_str()),
        fields: &[("interaction", asked.id)],
    };
    page.clone().with_ui_locales(ui_locales).respond_towards(status, &login, &target)
}

/// The form was too old or came from another browser: a new one that leads to the index page.
async fn expired(issuer: &Issuer, cookies: &Cookies, page: &PageContext) -> Result<Response> {
    let (browser, set_cookie) = cookies.browser(issuer);
    let interaction = Interaction { browser, resume: Resume::Home, signed_in: None, consented: None };
    let id = steps::store(issuer, &interaction).await?;
    let asked = Asked { id: &id, interaction: &interaction, username: None, error: Some(LoginError::Expired) };
    Ok((set_cookie, show(issuer, page, StatusCode::BAD_REQUEST, asked)).into_response())
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
