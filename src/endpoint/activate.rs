//! `GET POST /activate`: RFC 8628 §3.3. A person types the code of a device and decides.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use crate::grant::device_code::{self, Waiting};
use crate::issuer::Issuer;
use crate::login::attempts::Limit;
use crate::page::{ActivateError, Page};
use crate::protocol::error::{OAuthError, Result};
use crate::session::Session;
use crate::session::interaction::{Interaction, Resume};
use crate::store::Loaded;
use crate::web::cookies::Cookies;
use crate::web::form::Form;
use crate::web::page_context::PageContext;
use crate::web::steps;

/// §5.1: how many codes one person may try; each form that is sent counts, the right ones too.
const PER_PERSON: Limit = Limit { attempts: 20, window: Duration::from_secs(10 * 60) };

/// How many wrong codes all people of a tenant may try together: of 20⁸ codes, few enough to hit none.
const OVERALL: Limit = Limit { attempts: 1000, window: Duration::from_secs(10 * 60) };

/// What is left to each person when all together have tried too many: who has a device in front of them needs one or two.
const PER_PERSON_THEN: Limit = Limit { attempts: 3, ..PER_PERSON };
const EVERYBODY: &str = "activate";

/// A person in front of the page: signed in, and in the browser in which the step began.
struct Visit<'a> {
    issuer: &'a Issuer,
    page: PageContext,
    cookie: String,
    session: Session,
    /// What every form carries.
    fields: Vec<(&'a str, &'a str)>,
}

/// The page; with `user_code` in the address (`verification_uri_complete`), the question itself.
pub async fn get(issuer: Issuer, cookies: Cookies, page: PageContext, Form(parameters): Form) -> Result<Response> {
    let Some(id) = parameters.one("interaction")? else {
        let user_code = parameters.owned("user_code")?;
        let ui_locales = parameters.owned("ui_locales")?;
        return steps::begin(&issuer, &cookies, "/activate", Resume::Activate { user_code }, ui_locales).await;
    };
    let Some((step, user_code)) = find(&issuer, &cookies, id).await? else {
        return steps::begin(&issuer, &cookies, "/activate", Resume::Activate { user_code: None }, None).await;
    };
    let Some(session) = session(&issuer, &cookies, &step).await? else { return Ok(to_login(id)) };
    let visit = Visit::new(&issuer, page, &step.record, id, session);
    match user_code {
        None => Ok(visit.ask(None, None)),
        Some(typed) => match visit.look_up(&typed).await? {
            Ok(waiting) => Ok(visit.confirm(&waiting)),
            Err(error) => Ok(visit.ask(Some(&typed), Some(error))),
        },
    }
}

/// A code that was typed, or the decision.
pub async fn post(issuer: Issuer, cookies: Cookies, page: PageContext, Form(parameters): Form) -> Result<Response> {
    let id = parameters.one("interaction")?.unwrap_or_default();
    let typed = parameters.one("user_code")?.unwrap_or_default();
    let page = page.with_ui_locales(parameters.one("ui_locales")?);
    let Some((step, _)) = find(&issuer, &cookies, id).await? else {
        return expired(&issuer, &cookies, &page).await;
    };
    let Some(session) = session(&issuer, &cookies, &step).await? else { return Ok(to_login(id)) };
    let visit = Visit::new(&issuer, page, &step.record, id, session);
    let waiting = match visit.look_up(typed).await? {
        Ok(waiting) => waiting,
        Err(error) => return Ok(visit.ask(Some(typed), Some(error))),
    };
    let allowed = match parameters.one("decision")? {
        None => return Ok(visit.confirm(&waiting)),
        Some("allow") => true,
        Some("deny") => false,
        Some(_) => return Err(OAuthError::invalid_request("decision must be allow or deny")),
    };
    if steps::take(&issuer, &cookies, id).await?.is_none() {
        return expired(&issuer, &cookies, &visit.page).await;
    }
    visit.decide(waiting, allowed).await
}

impl<'a> Visit<'a> {
    fn new(
        issuer: &'a Issuer,
        page: PageContext,
        step: &'a Interaction,
        id: &'a str,
        (cookie, session): (String, Session),
    ) -> Self {
        let ui_locales = step.ui_locales();
        Self { issuer, page: page.with_ui_locales(ui_locales), cookie, session, fields: steps::fields(id, ui_locales) }
    }

    /// The device of a code, as long as this person and everybody together have attempts left.
    async fn look_up(&self, typed: &str) -> Result<std::result::Result<Waiting, ActivateError>> {
        let (store, now) = (&self.issuer.store, self.issuer.now());
        let own = format!("{EVERYBODY}\n{}", self.session.identity.subject);
        let limit = if OVERALL.permits(store, EVERYBODY).await? { PER_PERSON } else { PER_PERSON_THEN };
        if !limit.take(store, &own, now).await? {
            return Ok(Err(ActivateError::TooManyAttempts));
        }
        if let Some(waiting) = device_code::find(self.issuer, typed).await? {
            return Ok(Ok(waiting));
        }
        OVERALL.take(store, EVERYBODY, now).await?;
        Ok(Err(ActivateError::UnknownCode))
    }

    fn ask(&self, code: Option<&str>, error: Option<ActivateError>) -> Response {
        let status = match error {
            None => StatusCode::OK,
            Some(ActivateError::TooManyAttempts) => StatusCode::TOO_MANY_REQUESTS,
            Some(ActivateError::UnknownCode | ActivateError::Expired) => StatusCode::BAD_REQUEST,
        };
        self.page.respond(status, &Page::Activate { code, error, fields: &self.fields })
    }

    fn confirm(&self, waiting: &Waiting) -> Response {
        let scopes: Vec<&str> = waiting.scope().iter().collect();
        let question = Page::ActivateConfirm {
            code: &waiting.user_code(),
            client: &waiting.client.name,
            scopes: &scopes,
            name: Some(self.session.identity.display_name()),
            fields: &self.fields,
        };
        self.page.respond(StatusCode::OK, &question)
    }

    async fn decide(&self, waiting: Waiting, allowed: bool) -> Result<Response> {
        let (client, subject) = (waiting.client.ident.clone(), &self.session.identity.subject);
        let decided = match allowed {
            true => waiting.allow(self.issuer, &self.cookie, &self.session).await?,
            false => waiting.deny(self.issuer).await?,
        };
        if !decided {
            return Err(OAuthError::invalid_request("this code was decided on already or is too old"));
        }
        tracing::info!(tenant = &*self.issuer.tenant.name, client = &*client, subject, allowed, "device decided on");
        Ok(self.page.respond(StatusCode::OK, &Page::ActivateDone { allowed }))
    }
}

/// The step, if it is one of this page and of this browser, and the code that it began with.
async fn find(issuer: &Issuer, cookies: &Cookies, id: &str) -> Result<Option<(Loaded<Interaction>, Option<String>)>> {
    let Some(step) = steps::find(issuer, cookies, id).await? else { return Ok(None) };
    let Resume::Activate { user_code } = step.record.resume.clone() else { return Ok(None) };
    Ok(Some((step, user_code)))
}

/// Who is signed in; nobody where the tenant wants to see the password at every application and has not seen it.
async fn session(issuer: &Issuer, cookies: &Cookies, step: &Loaded<Interaction>) -> Result<Option<(String, Session)>> {
    let session = cookies.session(issuer).await?;
    let proven = |session: &Session| step.record.signed_in.as_ref() == Some(&session.sid);
    Ok(session.filter(|(_, session)| proven(session) || issuer.tenant.silent_login))
}

fn to_login(id: &str) -> Response {
    Redirect::to(&format!("/login?interaction={id}")).into_response()
}

/// The form was too old or came from another browser: a new one.
async fn expired(issuer: &Issuer, cookies: &Cookies, page: &PageContext) -> Result<Response> {
    let (browser, set_cookie) = cookies.browser(issuer);
    let resume = Resume::Activate { user_code: None };
    let id = steps::store(issuer, &Interaction::new(browser, resume, None)).await?;
    let again = Page::Activate { code: None, error: Some(ActivateError::Expired), fields: &[("interaction", &id)] };
    Ok((set_cookie, page.respond(StatusCode::BAD_REQUEST, &again)).into_response())
}
