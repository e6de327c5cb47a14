//! `GET POST /activate`: RFC 8628 §3.3. A person types the code of a device and decides.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::grant::device_code::{self, Waiting};
use crate::login::attempts::Limit;
use crate::page::{ActivateError, Page};
use crate::protocol::error::{OAuthError, Result};
use crate::session::SignedIn;
use crate::session::interaction::Resume;
use crate::sso::stay;
use crate::web::form::Form;
use crate::web::steps::{self, Step};
use crate::web::visit::Visit;

/// §5.1: how many codes one person may try; each submitted form counts, correct ones too.
const PER_PERSON: Limit = Limit { attempts: 20, window: Duration::from_secs(10 * 60) };

/// How many wrong codes all people of a tenant may try together: of 20⁸ codes, too few to hit one.
const OVERALL: Limit = Limit { attempts: 1000, window: Duration::from_secs(10 * 60) };

/// The attempts left to each person after that: a person with a device needs one or two.
const PER_PERSON_THEN: Limit = Limit { attempts: 3, ..PER_PERSON };
const EVERYBODY: &str = "activate";

/// A visitor who is signed in, in the browser that began the step.
struct Activation<'a> {
    visit: Visit,
    signed_in: SignedIn,
    /// The hidden fields of every form.
    fields: Vec<(&'a str, &'a str)>,
}

/// The form for the code; with `user_code` in the URL (`verification_uri_complete`), the confirmation page.
pub async fn get(visit: Visit, Form(parameters): Form) -> Result<Response> {
    let Some(id) = parameters.one("interaction")? else {
        let user_code = parameters.owned("user_code")?;
        let ui_locales = parameters.owned("ui_locales")?;
        return steps::begin(&visit, "/activate", Resume::Activate { user_code }, ui_locales).await;
    };
    let Some((step, user_code)) = find(&visit, id).await? else {
        return steps::begin(&visit, "/activate", FRESH, None).await;
    };
    let Some(signed_in) = signed_in(&visit, &step).await? else { return Ok(to_login(id)) };
    let activation = Activation::new(visit, &step, signed_in);
    match user_code {
        None => Ok(activation.ask(None, None)),
        Some(typed) => match activation.look_up(&typed).await? {
            Ok(waiting) => Ok(activation.confirm(&waiting)),
            Err(error) => Ok(activation.ask(Some(&typed), Some(error))),
        },
    }
}

/// A typed code, or the decision.
pub async fn post(visit: Visit, Form(parameters): Form) -> Result<Response> {
    let id = parameters.one("interaction")?.unwrap_or_default();
    let typed = parameters.one("user_code")?.unwrap_or_default();
    let visit = visit.with_ui_locales(parameters.one("ui_locales")?);
    let Some((step, _)) = find(&visit, id).await? else { return expired(&visit).await };
    let Some(signed_in) = signed_in(&visit, &step).await? else { return Ok(to_login(id)) };
    let activation = Activation::new(visit, &step, signed_in);
    let waiting = match activation.look_up(typed).await? {
        Ok(waiting) => waiting,
        Err(error) => return Ok(activation.ask(Some(typed), Some(error))),
    };
    let allowed = match parameters.one("decision")? {
        None => return Ok(activation.confirm(&waiting)),
        Some("allow") => true,
        Some("deny") => false,
        Some(_) => return Err(OAuthError::invalid_request("decision must be allow or deny")),
    };
    if !step.finished(&activation.visit.issuer, &activation.signed_in).await? {
        return expired(&activation.visit).await;
    }
    activation.decide(waiting, allowed).await
}

impl<'a> Activation<'a> {
    fn new(visit: Visit, step: &'a Step, signed_in: SignedIn) -> Self {
        let ui_locales = step.ui_locales();
        Self { visit: visit.with_ui_locales(ui_locales), signed_in, fields: steps::fields(&step.value, ui_locales) }
    }

    /// The device of a code, while this person and all people together have attempts left.
    async fn look_up(&self, typed: &str) -> Result<std::result::Result<Waiting, ActivateError>> {
        let (store, now) = (&self.visit.issuer.store, self.visit.issuer.now());
        let own = format!("{EVERYBODY}\n{}", self.signed_in.session.identity.subject);
        let limit = if OVERALL.permits(store, EVERYBODY).await? { PER_PERSON } else { PER_PERSON_THEN };
        if !limit.take(store, &own, now).await? {
            return Ok(Err(ActivateError::TooManyAttempts));
        }
        if let Some(waiting) = device_code::find(&self.visit.issuer, typed).await? {
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
        self.visit.page.respond(status, &Page::Activate { code, error, fields: &self.fields })
    }

    fn confirm(&self, waiting: &Waiting) -> Response {
        let scopes: Vec<&str> = waiting.scope().iter().collect();
        let question = Page::ActivateConfirm {
            code: &waiting.user_code(),
            client: &waiting.client.name,
            scopes: &scopes,
            name: Some(self.signed_in.session.identity.display_name()),
            fields: &self.fields,
        };
        self.visit.page.respond(StatusCode::OK, &question)
    }

    async fn decide(&self, waiting: Waiting, allowed: bool) -> Result<Response> {
        let (issuer, subject) = (&self.visit.issuer, &self.signed_in.session.identity.subject);
        let client = waiting.client.ident.clone();
        let decided =
            if allowed { waiting.allow(issuer, &self.signed_in).await? } else { waiting.deny(issuer).await? };
        if !decided {
            return Err(OAuthError::invalid_request("this code was decided on already or is too old"));
        }
        tracing::info!(tenant = &*issuer.tenant.name, client = &*client, subject, allowed, "device decided on");
        Ok(self.visit.page.respond(StatusCode::OK, &Page::ActivateDone { allowed }))
    }
}

/// The step, if this page began it in this browser, and the code that it began with.
async fn find(visit: &Visit, id: &str) -> Result<Option<(Step, Option<String>)>> {
    let Some(step) = steps::find(visit, id).await? else { return Ok(None) };
    let Resume::Activate { user_code } = step.resume.clone() else { return Ok(None) };
    Ok(Some((step, user_code)))
}

/// The person who is signed in and may stay; `None` if the tenant asks for the password at every application and it was not
/// entered.
async fn signed_in(visit: &Visit, step: &Step) -> Result<Option<SignedIn>> {
    let Some(signed_in) = visit.cookies.signed_in(&visit.issuer).await? else { return Ok(None) };
    let is_enough = visit.issuer.tenant.silent_login
        || step.proved(&visit.issuer, Some(&signed_in.session)).await?.proofs.has_signed_in(&signed_in.session);
    if is_enough { stay::confirmed(&visit.issuer, signed_in).await } else { Ok(None) }
}

fn to_login(id: &str) -> Response {
    steps::go_on("/login", id).into_response()
}

/// The form was too old or came from another browser: shows a new one.
async fn expired(visit: &Visit) -> Result<Response> {
    let (id, set_cookie) = steps::make(visit, FRESH, None).await?;
    let again = Page::Activate { code: None, error: Some(ActivateError::Expired), fields: &[("interaction", &id)] };
    Ok((set_cookie, visit.page.respond(StatusCode::BAD_REQUEST, &again)).into_response())
}

/// A step that begins without a code.
const FRESH: Resume = Resume::Activate { user_code: None };
