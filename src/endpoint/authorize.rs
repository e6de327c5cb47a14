//! `GET POST /authorize`: RFC 6749 §3.1, OIDC Core §3.1.2. The flow begins and ends here: every page returns to it, except a refused consent.

use axum::Extension;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::grant::authorization_code::{self, Approved};
use crate::grant::authorize::{Known, Next, Permitted, decide};
use crate::protocol::authorization::AuthorizationRequest;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::session::consent::Consent;
use crate::session::interaction::{Interaction, PendingAuthorization, Proofs, Resume};
use crate::store::Batch;
use crate::token::id_token;
use crate::web::callback::Callback;
use crate::web::error::UiLocales;
use crate::web::form::Form;
use crate::web::steps;
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
        Ok(request) => answer(&visit, callback, request, Proofs::default(), issuer.store.batch()).await,
        Err(error) => Ok(callback.error(&visit.page, error)),
    }
}

/// Reads the request and how to respond; any error from here on goes to the client.
fn read(callback: &mut Callback, parameters: &Parameters) -> Result<AuthorizationRequest> {
    callback.read_wishes(parameters)?;
    AuthorizationRequest::from_parameters(parameters)
}

/// §3.1.2.2 to §3.1.2.4: checks the request, looks up the session and the consent, and decides.
async fn decide_next(
    visit: &Visit,
    callback: &Callback,
    request: &AuthorizationRequest,
    proofs: Proofs,
) -> Result<(Permitted, Next)> {
    let (issuer, client) = (&visit.issuer, &callback.client);
    let permitted = Permitted::of(client, request)?;
    let wanted_subject = match &request.id_token_hint {
        Some(hint) => Some(id_token::verify_hint(issuer, hint).await?.sub),
        // §5.5.1: a requested `sub` means that person and no other.
        None => request.claims.wanted_subject().map(str::to_owned),
    };
    let signed_in = visit.cookies.signed_in(issuer).await?;
    let has_agreed = match &signed_in {
        Some(signed_in) if client.consent_required && !proofs.has_consented(&signed_in.session) => {
            let subject = &signed_in.session.identity.subject;
            Consent::covers(&issuer.store, subject, &client.ident, &permitted.asked_scope()).await?
        }
        _ => false,
    };
    let known = Known { signed_in, wanted_subject, proofs, has_agreed };
    let next = decide(&issuer.tenant, client, request, known, issuer.now())?;
    Ok((permitted, next))
}

/// §3.1.2.5 and §3.1.2.6: a code or an error for the client, or a page in between; in one step with `taken`.
async fn answer(
    visit: &Visit,
    callback: Callback,
    request: AuthorizationRequest,
    proofs: Proofs,
    taken: Batch<'_>,
) -> Result<Response> {
    let (permitted, next) = match decide_next(visit, &callback, &request, proofs.clone()).await {
        Ok(decided) => decided,
        Err(error) => {
            remove_pending(taken).await?;
            return Ok(callback.error(&visit.page, error));
        }
    };
    let signed_in = match next {
        Next::Login => {
            remove_pending(taken).await?;
            return steps::begin(visit, "/login", pending(callback, request)).await;
        }
        Next::Consent => {
            remove_pending(taken).await?;
            let proofs = Proofs { consented: None, ..proofs };
            return steps::begin(visit, "/consent", pending(callback, request).with_proofs(proofs)).await;
        }
        Next::Code(signed_in) => signed_in,
    };
    let is_resumed = !taken.is_empty();
    let (client, redirect_uri) = (&*callback.client, &*callback.redirect_uri);
    let approved = Approved { client, redirect_uri, request: &request, permitted, signed_in: &signed_in };
    match authorization_code::issue(&visit.issuer, approved, taken).await {
        Ok(Some(code)) => Ok(callback.success(&visit.page, &code)),
        Ok(None) if is_resumed => Err(gone()),
        Ok(None) => Ok(callback.error(&visit.page, OAuthError::login_required("the person has just signed out"))),
        Err(error) => Ok(callback.error(&visit.page, error)),
    }
}

/// Resumes the pending request of this browser. It is removed in one step with the response, so that it gives at most
/// one code.
async fn resume(visit: Visit, id: &str) -> Result<Response> {
    let found = steps::find(&visit, id).await?.ok_or_else(gone)?;
    let store = visit.issuer.store.clone();
    let taken = store.batch().take(id, &found);
    let Interaction { resume: Resume::Authorize(pending), proofs, .. } = found.record else { return Err(gone()) };
    let PendingAuthorization { client_id, redirect_uri, state, response_mode, request } = *pending;
    let callback = Callback::prove(&visit.issuer, &client_id, redirect_uri, state, response_mode).await?;
    let visit = visit.with_ui_locales(request.ui_locales.as_deref());
    answer(&visit, callback, request, proofs, taken).await
}

fn gone() -> OAuthError {
    OAuthError::invalid_request("this sign-in is too old or was completed already, start again at the application")
}

async fn remove_pending(taken: Batch<'_>) -> Result<()> {
    if taken.commit().await? { Ok(()) } else { Err(gone()) }
}

fn pending(callback: Callback, request: AuthorizationRequest) -> Interaction {
    let pending = PendingAuthorization {
        client_id: callback.client.ident.to_string(),
        redirect_uri: callback.redirect_uri,
        state: callback.state,
        response_mode: callback.response_mode,
        request,
    };
    Interaction::new(Resume::Authorize(Box::new(pending)), None)
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
/// by GET before anything is decided; for a known browser nothing is stored and no cookie replaced. A request that does
/// not fit into a URL is stored after all: that is what forms are for.
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
    steps::begin(visit, "/authorize", pending(callback, request)).await
}
