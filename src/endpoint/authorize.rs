//! `GET POST /authorize`: RFC 6749 §3.1, OIDC Core §3.1.2. The way in and the way out: every page returns here.

use axum::Extension;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::grant::authorization_code;
use crate::issuer::Issuer;
use crate::metrics::OfTenant;
use crate::protocol::authorization::{AuthorizationRequest, Prompt};
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::session::Session;
use crate::session::consent::Consent;
use crate::session::interaction::{Interaction, PendingAuthorization, Resume};
use crate::store::Batch;
use crate::token::id_token;
use crate::web::callback::Callback;
use crate::web::cookies::Cookies;
use crate::web::error::UiLocales;
use crate::web::form::Form;
use crate::web::page_context::PageContext;
use crate::web::steps;

/// The longest query, in bytes, that every proxy lets through, as a `Location` and as a URL.
const MAX_QUERY: usize = 2048;

/// What has happened on the pages of this very request, and in which session.
#[derive(Default)]
struct Done {
    signed_in: Option<String>,
    consented: Option<String>,
}

impl Done {
    fn has_signed_in(&self, session: &Session) -> bool {
        self.signed_in.as_ref() == Some(&session.sid)
    }

    fn has_consented(&self, session: &Session) -> bool {
        self.consented.as_ref() == Some(&session.sid)
    }
}

/// What comes next.
enum Step {
    Login,
    Consent,
    /// By this cookie, in this session.
    Code(String, Box<Session>),
}

/// A request from a client, or the return from a page.
pub async fn get(
    issuer: Issuer,
    cookies: Cookies,
    page: PageContext,
    headers: HeaderMap,
    Form(parameters): Form,
) -> Result<Response> {
    issuer.services.metrics.authorize_attempts.get_or_create(&OfTenant::named(&issuer.tenant.name)).inc();
    // A client may call a parameter of its own by that name.
    let own = parameters.one("client_id")?.is_none();
    if let Some(id) = parameters.one("interaction")?.filter(|_| own) {
        let (pending, done, taken) = resume(&issuer, &cookies, id).await?;
        let PendingAuthorization { client_id, redirect_uri, state, response_mode, request } = pending;
        let callback = Callback::prove(&issuer, &client_id, redirect_uri, state, response_mode)?;
        let page = page.with_ui_locales(request.ui_locales.as_deref());
        return answer(&issuer, &cookies, &page, callback, request, done, taken).await;
    }
    let mut callback = Callback::from_parameters(&issuer, &parameters)?;
    check_referrer(&callback, &headers)?;
    match read(&mut callback, &parameters) {
        Ok(request) => {
            let nothing = issuer.store.batch();
            answer(&issuer, &cookies, &page, callback, request, Done::default(), nothing).await
        }
        Err(error) => Ok(callback.error(&page, error)),
    }
}

/// OIDC Core §3.1.2.1: the same by a form. A form from another site comes without our cookies, so the browser is sent
/// round once by GET before anything is decided; nothing is stored, and no cookie replaced, for a browser that is known.
/// What does not fit into a URL is stored all the same: that is what forms are for.
pub async fn post(
    issuer: Issuer,
    cookies: Cookies,
    page: PageContext,
    headers: HeaderMap,
    Form(parameters): Form,
) -> Response {
    let wished = parameters.owned("ui_locales").ok().flatten();
    let page = page.with_ui_locales(wished.as_deref());
    (Extension(UiLocales(wished)), round(&issuer, &cookies, &page, &headers, &parameters).await).into_response()
}

async fn round(
    issuer: &Issuer,
    cookies: &Cookies,
    page: &PageContext,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response> {
    let mut callback = Callback::from_parameters(issuer, parameters)?;
    check_referrer(&callback, headers)?;
    let checked = read(&mut callback, parameters)
        .and_then(|request| authorization_code::check_request(&callback.client, &request).map(|_| request));
    let request = match checked {
        Ok(request) => request,
        Err(error) => return Ok(callback.error(page, error)),
    };
    let query = parameters.to_query();
    if query.len() <= MAX_QUERY {
        return Ok(Redirect::to(&format!("/authorize?{query}")).into_response());
    }
    let wished = request.ui_locales.clone();
    steps::begin(issuer, cookies, "/authorize", pending(callback, request), wished).await
}

/// What is asked, and how the client wants to be answered; whatever is wrong from here on, it is told.
fn read(callback: &mut Callback, parameters: &Parameters) -> Result<AuthorizationRequest> {
    callback.read_wishes(parameters)?;
    AuthorizationRequest::from_parameters(parameters)
}

/// What waits for this browser, what has been done about it, and that it is taken, so that it gives one code at most.
async fn resume<'i>(
    issuer: &'i Issuer,
    cookies: &Cookies,
    id: &str,
) -> Result<(PendingAuthorization, Done, Batch<'i>)> {
    let found = steps::find(issuer, cookies, id).await?.ok_or_else(gone)?;
    let taken = issuer.store.batch().take(id, &found);
    match found.record {
        Interaction { resume: Resume::Authorize(pending), signed_in, consented, .. } => {
            Ok((*pending, Done { signed_in, consented }, taken))
        }
        _ => Err(gone()),
    }
}

fn gone() -> OAuthError {
    OAuthError::invalid_request("this sign-in is too old or was completed already, start again at the application")
}

/// Answers in one step with what `using` holds.
async fn answer(
    issuer: &Issuer,
    cookies: &Cookies,
    page: &PageContext,
    callback: Callback,
    request: AuthorizationRequest,
    done: Done,
    using: Batch<'_>,
) -> Result<Response> {
    match decide(issuer, cookies, &callback, &request, &done).await {
        Ok(Step::Login) => {
            spend(using).await?;
            steps::begin(issuer, cookies, "/login", pending(callback, request), None).await
        }
        Ok(Step::Consent) => {
            spend(using).await?;
            steps::go_on(issuer, cookies, "/consent", pending(callback, request), done.signed_in).await
        }
        Ok(Step::Code(cookie, session)) => {
            let (client, redirect_uri) = (&callback.client, &callback.redirect_uri);
            let is_resumed = !using.is_empty();
            let session = (cookie.as_str(), &*session);
            match authorization_code::issue(issuer, client, redirect_uri, &request, session, using).await {
                Ok(Some(code)) => Ok(callback.success(page, &code)),
                Ok(None) if is_resumed => Err(gone()),
                Ok(None) => Ok(callback.error(page, OAuthError::login_required("the person has just signed out"))),
                Err(error) => Ok(callback.error(page, error)),
            }
        }
        Err(error) => {
            spend(using).await?;
            Ok(callback.error(page, error))
        }
    }
}

async fn spend(using: Batch<'_>) -> Result<()> {
    match using.commit().await? {
        true => Ok(()),
        false => Err(gone()),
    }
}

/// The checks, in order. Every error from here on goes back to the client.
async fn decide(
    issuer: &Issuer,
    cookies: &Cookies,
    callback: &Callback,
    request: &AuthorizationRequest,
    done: &Done,
) -> Result<Step> {
    authorization_code::check_request(&callback.client, request)?;
    let silent = request.prompts(Prompt::None);
    let hint = match &request.id_token_hint {
        Some(hint) => Some(id_token::verify_hint(issuer, hint).await?.sub),
        // OIDC Core §5.5.1: a wish for a certain sub means that person and no other.
        None => request.claims.wanted_subject().map(str::to_owned),
    };
    let session = cookies.session(issuer).await?;
    let good_enough =
        |(_, session): &(String, Session)| done.has_signed_in(session) || !needs_credentials(issuer, request, session);
    let is_hinted = |session: &Session| hint.as_ref().is_none_or(|subject| *subject == session.identity.subject);
    match session.filter(good_enough) {
        Some((cookie, session)) if is_hinted(&session) => {
            match needs_consent(issuer, callback, request, done, &session).await? {
                true => Ok(Step::Consent),
                false => Ok(Step::Code(cookie, Box::new(session))),
            }
        }
        // OIDC Core §3.1.2.1: somebody signed in, but it is somebody else.
        Some((_, session)) if done.has_signed_in(&session) => {
            Err(OAuthError::login_required("another person than the one that the client asked for signed in"))
        }
        _ if silent => Err(OAuthError::login_required("nobody is signed in and prompt is none")),
        _ => Ok(Step::Login),
    }
}

/// OIDC Core §3.1.2.1: `prompt` and `max_age`; and tenants that want to see the password at every application.
fn needs_credentials(issuer: &Issuer, request: &AuthorizationRequest, session: &Session) -> bool {
    let asked = request.prompts(Prompt::Login) || request.prompts(Prompt::SelectAccount);
    // Both moments are whole seconds: what looks like exactly `max_age` may be a part of a second more.
    let too_old = request.max_age.is_some_and(|max_age| session.age(issuer.now()).as_secs() >= max_age);
    asked || too_old || !(issuer.tenant.silent_login || request.prompts(Prompt::None))
}

async fn needs_consent(
    issuer: &Issuer,
    callback: &Callback,
    request: &AuthorizationRequest,
    done: &Done,
    session: &Session,
) -> Result<bool> {
    let asked_again = request.prompts(Prompt::Consent);
    if done.has_consented(session) || !(callback.client.consent_required || asked_again) {
        return Ok(false);
    }
    let subject = &session.identity.subject;
    let scope = authorization_code::asked_scope(&callback.client, request)?;
    if !asked_again && Consent::covers(&issuer.store, subject, &callback.client.ident, &scope).await? {
        return Ok(false);
    }
    if request.prompts(Prompt::None) {
        return Err(OAuthError::new(ErrorCode::ConsentRequired, "the person has not consented and prompt is none"));
    }
    Ok(true)
}

fn pending(callback: Callback, request: AuthorizationRequest) -> Resume {
    Resume::Authorize(Box::new(PendingAuthorization {
        client_id: callback.client.ident.to_string(),
        redirect_uri: callback.redirect_uri,
        state: callback.state,
        response_mode: callback.response_mode,
        request,
    }))
}

/// A client with `referrers` must be entered from one of them. An error is a page: the way back is not in doubt, but
/// whoever sent the browser here is.
fn check_referrer(callback: &Callback, headers: &HeaderMap) -> Result<()> {
    let referrers = &callback.client.referrers;
    let sent = headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    let is_registered = |sent: &str| referrers.iter().any(|referrer| referrer.matches(sent));
    if referrers.is_empty() || sent.is_some_and(is_registered) {
        Ok(())
    } else {
        Err(OAuthError::invalid_request("this client must be entered from one of its registered pages"))
    }
}
