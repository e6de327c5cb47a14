//! `GET POST /logout`: OIDC RP-Initiated Logout. Other clients hear of it by the back channel.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use url::Url;

use crate::audit::{self, Extent};
use crate::issuer::Issuer;
use crate::metrics::OfTenant;
use crate::page::Page;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::session::Session;
use crate::session::interaction::{Interaction, Resume};
use crate::sso::sign_out;
use crate::token::id_token::{self, Hint};
use crate::web::cookies::{Cookies, SetCookies};
use crate::web::form::Form;
use crate::web::page_context::PageContext;
use crate::web::steps;

/// A request to sign out, checked.
struct LogoutRequest {
    /// Proof that a client of the person's asks; without it the person is asked.
    hint: Option<Hint>,
    /// Registered for the client that asks.
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

/// From a client by redirect, or from a person.
pub async fn get(issuer: Issuer, cookies: Cookies, page: PageContext, Form(parameters): Form) -> Result<Response> {
    answer(&issuer, &cookies, page, &parameters).await
}

/// From a client by form, or the person's confirmation.
pub async fn post(issuer: Issuer, cookies: Cookies, page: PageContext, Form(parameters): Form) -> Result<Response> {
    // A form of another site comes without our cookies, and nobody would be signed out: round once by GET.
    let Some(id) = parameters.one("interaction")? else {
        return Ok(Redirect::to(&format!("/logout?{}", parameters.to_query())).into_response());
    };
    let page = page.with_ui_locales(parameters.one("ui_locales")?);
    match steps::take(&issuer, &cookies, id).await? {
        Some(Interaction { resume: Resume::Logout { post_logout_redirect_uri, state }, .. }) => {
            let session = cookies.session(&issuer).await?;
            sign_out(&issuer, &cookies, &page, session, post_logout_redirect_uri, state).await
        }
        _ => Err(OAuthError::invalid_request("this question is too old, sign out again")),
    }
}

async fn answer(issuer: &Issuer, cookies: &Cookies, page: PageContext, parameters: &Parameters) -> Result<Response> {
    parameters.refuse_duplicates()?;
    let page = page.with_ui_locales(parameters.one("ui_locales")?);
    let request = read(issuer, parameters).await?;
    let session = cookies.session(issuer).await?;
    let (redirect_uri, state) = (request.post_logout_redirect_uri, request.state);
    match session {
        // §2: the hint must speak of the person who is signed in; otherwise, or without one, that person is asked.
        Some((_, session)) if !request.hint.is_some_and(|hint| hint.speaks_of(&session)) => {
            let asked = Asked { ui_locales: parameters.one("ui_locales")?, redirect_uri, state };
            confirm(issuer, cookies, &page, &session, asked).await
        }
        session => sign_out(issuer, cookies, &page, session, redirect_uri, state).await,
    }
}

/// §2: which client asks is told by the hint or by `client_id`, which must not contradict each other.
async fn read(issuer: &Issuer, parameters: &Parameters) -> Result<LogoutRequest> {
    let hint = match parameters.one("id_token_hint")? {
        // A key that is gone proves nothing and disproves nothing: the person is asked.
        Some(token) => id_token::read_hint(issuer, token).await?,
        None => None,
    };
    let client_id = match (parameters.one("client_id")?, &hint) {
        (Some(named), Some(hint)) if !issuer.is_same_client(named, &hint.aud) => {
            return Err(OAuthError::invalid_request("client_id is not the one of id_token_hint"));
        }
        (Some(named), _) => Some(named.to_owned()),
        (None, hint) => hint.as_ref().map(|hint| hint.aud.clone()),
    };
    let state = parameters.owned("state")?;
    // §3: whose address it would be is told by nothing. The person may sign out all the same, and stays here.
    let Some(client_id) = client_id else { return Ok(LogoutRequest { hint, post_logout_redirect_uri: None, state }) };
    let client = issuer.client(&client_id);
    if let Some(client) = &client {
        tracing::Span::current().record("client", &*client.ident);
    }
    let post_logout_redirect_uri = parameters.owned("post_logout_redirect_uri")?;
    if let Some(uri) = &post_logout_redirect_uri {
        let registered = client.is_some_and(|client| client.post_logout_redirect_uris.contains(uri));
        if !registered {
            return Err(OAuthError::invalid_request("post_logout_redirect_uri is not registered for this client"));
        }
    }
    Ok(LogoutRequest { hint, post_logout_redirect_uri, state })
}

/// What the person's answer is needed for.
struct Asked<'a> {
    /// The wish goes on to the page that follows.
    ui_locales: Option<&'a str>,
    redirect_uri: Option<String>,
    state: Option<String>,
}

async fn confirm(
    issuer: &Issuer,
    cookies: &Cookies,
    page: &PageContext,
    session: &Session,
    Asked { ui_locales, redirect_uri: post_logout_redirect_uri, state }: Asked<'_>,
) -> Result<Response> {
    let (browser, set_cookie) = cookies.browser(issuer);
    let targets: Vec<String> = post_logout_redirect_uri.iter().cloned().collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let resume = Resume::Logout { post_logout_redirect_uri, state };
    let id = steps::store(issuer, &Interaction::new(browser, resume, None)).await?;
    let fields = steps::fields(&id, ui_locales);
    let question = Page::Logout { name: Some(session.identity.display_name()), fields: &fields };
    Ok((set_cookie, page.respond_towards(StatusCode::OK, &question, &targets)).into_response())
}

/// §3: ends the session and what was granted in it, removes the cookie, and goes where the client wants.
async fn sign_out(
    issuer: &Issuer,
    cookies: &Cookies,
    page: &PageContext,
    session: Option<(String, Session)>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
) -> Result<Response> {
    if let Some((cookie, session)) = session {
        sign_out::session(issuer, &cookie, &session).await?;
        issuer.services.metrics.logout.get_or_create(&OfTenant::named(&issuer.tenant.name)).inc();
        audit::logout(&issuer.tenant.name, &session.identity.subject, "person", Extent::Session);
    }
    let removal = SetCookies(cookies.end_session());
    // Registered, so it parses; if it did not, the person still is signed out.
    let target = post_logout_redirect_uri.and_then(|uri| Url::parse(&uri).ok());
    Ok(match target {
        Some(mut url) => {
            if let Some(state) = state {
                url.query_pairs_mut().append_pair("state", &state);
            }
            (removal, [("cache-control", "no-store")], Redirect::to(url.as_str())).into_response()
        }
        None => (removal, page.respond(StatusCode::OK, &Page::SignedOut {})).into_response(),
    })
}
