//! `GET POST /authorize`: RFC 6749 §3.1, OIDC Core §3.1.2. The flow begins and ends here: every page returns to it, except a refused consent.

use axum::Extension;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::grant::authorization_code::{self, Approved};
use crate::grant::authorize::{Known, Next, Permitted, decide, login};
use crate::protocol::authorization::AuthorizationRequest;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::protocol::redirect_uri::is_native;
use crate::session::consent::Consent;
use crate::session::interaction::{PendingAuthorization, Resume};
use crate::sso::stay;
use crate::token::id_token;
use crate::web::callback::Callback;
use crate::web::error::UiLocales;
use crate::web::form::Form;
use crate::web::steps::{self, Found, Step};
use crate::web::visit::Visit;

/// The longest query, in bytes, that every proxy accepts in a `Location` and in a URL.
const MAX_QUERY: usize = 2048;

/// A request from a client, or the return from a page.
pub async fn get(visit: Visit, headers: HeaderMap, Form(parameters): Form) -> Result<Response> {
    let issuer = &visit.issuer;
    issuer.count(|counters| &counters.authorize_attempts);
    // A client may have a parameter of its own with that name.
    let is_from_a_client = parameters.one("client_id")?.is_some();
    if let Some(id) = parameters.one("interaction")?.filter(|_| !is_from_a_client) {
        return resume(visit, id).await;
    }
    // §3.1.2.1: the request, and first of all where the response goes.
    let mut callback = Callback::from_parameters(issuer, &parameters).await?;
    check_referrer(&callback, &headers)?;
    match read(&mut callback, &parameters) {
        Ok(request) => answer(&visit, callback, request, None).await,
        Err(error) => Ok(callback.error(&visit.page, error)),
    }
}

/// Reads the request and how to respond; any error from here on goes to the client.
fn read(callback: &mut Callback, parameters: &Parameters) -> Result<AuthorizationRequest> {
    callback.read_wishes(parameters)?;
    AuthorizationRequest::from_parameters(parameters)
}

/// What becomes of a request, and what was found on the way.
struct Decision {
    permitted: Permitted,
    next: Next,
    /// What was proved for the step, if the request comes from one.
    found: Option<Found>,
}

/// §3.1.2.2 to §3.1.2.4: checks the request, looks up the session, the proofs and the consent, and decides.
async fn decide_next(
    visit: &Visit,
    callback: &Callback,
    request: &AuthorizationRequest,
    step: Option<&Step>,
) -> Result<Decision> {
    let (issuer, client) = (&visit.issuer, &callback.client);
    let permitted = Permitted::of(client, request)?;
    let wanted_subject = match &request.id_token_hint {
        Some(hint) => Some(id_token::verify_hint(issuer, hint).await?.sub),
        // §5.5.1: a requested `sub` means that person and no other.
        None => request.claims.wanted_subject().map(str::to_owned),
    };
    let signed_in = visit.cookies.signed_in(issuer).await?;
    let found = match step {
        Some(step) => Some(step.proved(issuer, signed_in.as_ref().map(|signed_in| &signed_in.session)).await?),
        None => None,
    };
    let proofs = found.as_ref().map(|found| found.proofs.clone()).unwrap_or_default();
    let has_agreed = match &signed_in {
        Some(signed_in) if client.consent_required && !proofs.has_consented(&signed_in.session) => {
            let subject = &signed_in.session.identity.subject;
            Consent::covers(&issuer.store, subject, &client.ident, &permitted.asked_scope()).await?
        }
        _ => false,
    };
    let is_confirmed = issuer.services.confirm_native && is_native(&callback.redirect_uri);
    let known = Known { signed_in, wanted_subject, proofs, is_confirmed, has_agreed };
    let next = match decide(&issuer.tenant, client, request, known, issuer.now())? {
        // Somebody who signed in some time ago may have been removed since.
        Next::Code(signed_in) => match stay::confirmed(issuer, *signed_in).await? {
            Some(signed_in) => Next::Code(Box::new(signed_in)),
            None => login(request)?,
        },
        next => next,
    };
    Ok(Decision { permitted, next, found })
}

/// §3.1.2.5 and §3.1.2.6: a code or an error for the client, or a page in between. A code finishes the `step` that the
/// request comes from.
async fn answer(
    visit: &Visit,
    callback: Callback,
    request: AuthorizationRequest,
    step: Option<&Step>,
) -> Result<Response> {
    let Decision { permitted, next, found } = match decide_next(visit, &callback, &request, step).await {
        Ok(decided) => decided,
        Err(error) => return refuse(visit, callback, error, step).await,
    };
    let signed_in = match next {
        Next::Login => return ask(visit, "/login", callback, request, step).await,
        Next::Consent => return ask(visit, "/consent", callback, request, step).await,
        Next::Code(signed_in) => signed_in,
    };
    let batch = visit.issuer.store.batch();
    let batch = match (step, &found) {
        (Some(step), Some(found)) => step.finish(found, &signed_in.session, batch),
        _ => batch,
    };
    let (client, redirect_uri) = (&*callback.client, &*callback.redirect_uri);
    let approved = Approved { client, redirect_uri, request: &request, permitted, signed_in: &signed_in };
    match (authorization_code::issue(&visit.issuer, approved, batch).await, step) {
        (Ok(Some(code)), _) => Ok(callback.success(&visit.page, &code)),
        // The same form was sent twice, or the person has just signed out: what is there now decides.
        (Ok(None), Some(step)) => Ok(step.go_on().into_response()),
        (Ok(None), None) => {
            Ok(callback.error(&visit.page, OAuthError::login_required("the person has just signed out")))
        }
        (Err(error), _) => Ok(callback.error(&visit.page, error)),
    }
}

/// A page in between: for the step that the request comes from, or for a new one.
async fn ask(
    visit: &Visit,
    page: &str,
    callback: Callback,
    request: AuthorizationRequest,
    step: Option<&Step>,
) -> Result<Response> {
    if let Some(step) = step {
        return Ok(steps::go_on(page, &step.value).into_response());
    }
    match steps::begin(visit, page, pending(&callback, request), None).await {
        Ok(response) => Ok(response),
        Err(error) => Ok(callback.error(&visit.page, error)),
    }
}

async fn refuse(visit: &Visit, callback: Callback, error: OAuthError, step: Option<&Step>) -> Result<Response> {
    match step {
        Some(step) if !step.end(&visit.issuer).await? => Err(gone()),
        _ => Ok(callback.error(&visit.page, error)),
    }
}

/// Resumes the pending request of this browser. Whoever comes back to one that gave a code already gets another, as any
/// request of somebody who is signed in does; what was proved for the first one does not count again.
async fn resume(visit: Visit, value: &str) -> Result<Response> {
    let step = steps::find(&visit, value).await?.ok_or_else(gone)?;
    let Resume::Authorize(pending) = step.resume.clone() else { return Err(gone()) };
    let PendingAuthorization { client_id, redirect_uri, state, response_mode, request } = *pending;
    let callback = Callback::prove(&visit.issuer, &client_id, redirect_uri, state, response_mode).await?;
    let visit = visit.with_ui_locales(request.ui_locales.as_deref());
    answer(&visit, callback, request, Some(&step)).await
}

fn gone() -> OAuthError {
    OAuthError::invalid_request("this sign-in is too old or was completed already, start again at the application")
}

fn pending(callback: &Callback, request: AuthorizationRequest) -> Resume {
    Resume::Authorize(Box::new(PendingAuthorization {
        client_id: callback.client.ident.to_string(),
        redirect_uri: callback.redirect_uri.clone(),
        state: callback.state.clone(),
        response_mode: callback.response_mode,
        request,
    }))
}

/// A client with `referrers` must be entered from one of them. The error is a page: the redirect URI is not in doubt,
/// but the site that sent the browser is.
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

/// §3.1.2.1: the same by a form. A form from another site comes without our cookies, so the browser is redirected once
/// by GET before anything is decided; for a known browser no cookie is replaced. One that is too long for that becomes a
/// step at once.
pub async fn post(visit: Visit, headers: HeaderMap, Form(parameters): Form) -> Response {
    let wished = parameters.owned("ui_locales").ok().flatten();
    let visit = visit.with_ui_locales(wished.as_deref());
    (Extension(UiLocales(wished)), redirect_once(&visit, &headers, &parameters).await).into_response()
}

async fn redirect_once(visit: &Visit, headers: &HeaderMap, parameters: &Parameters) -> Result<Response> {
    let mut callback = Callback::from_parameters(&visit.issuer, parameters).await?;
    check_referrer(&callback, headers)?;
    let checked =
        read(&mut callback, parameters).and_then(|request| Permitted::of(&callback.client, &request).map(|_| request));
    let request = match checked {
        Ok(request) => request,
        Err(error) => return Ok(callback.error(&visit.page, error)),
    };
    let query = parameters.to_query();
    if query.len() <= MAX_QUERY {
        return Ok(Redirect::to(&format!("/authorize?{query}")).into_response());
    }
    ask(visit, "/authorize", callback, request, None).await
}
