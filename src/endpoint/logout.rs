//! `GET POST /logout`: OIDC RP-Initiated Logout. Other clients are told by back-channel logout.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use url::Url;

use crate::audit::{self, Extent};
use crate::issuer::Issuer;
use crate::page::Page;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::session::interaction::Resume;
use crate::session::{Session, SignedIn};
use crate::sso::sign_out;
use crate::token::id_token::{self, Hint};
use crate::web::cookies::SetCookies;
use crate::web::form::Form;
use crate::web::steps;
use crate::web::visit::Visit;

/// A checked logout request.
struct LogoutRequest {
    /// Whether a client of the person proved that it asks; otherwise the person is asked.
    hint: Option<Hint>,
    end: End,
}

/// The post-logout redirect.
struct End {
    /// Registered for the requesting client.
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

/// A request from a client by redirect, or from a person.
pub async fn get(visit: Visit, Form(parameters): Form) -> Result<Response> {
    parameters.refuse_duplicates()?;
    let ui_locales = parameters.one("ui_locales")?;
    let visit = visit.with_ui_locales(ui_locales);
    let LogoutRequest { hint, end } = read(&visit.issuer, &parameters).await?;
    match visit.cookies.signed_in(&visit.issuer).await? {
        // §2: the hint must name the person who is signed in; otherwise, or without one, that person is asked.
        Some(SignedIn { session, .. }) if !hint.is_some_and(|hint| hint.speaks_of(&session)) => {
            confirm(&visit, &session, ui_locales, end).await
        }
        signed_in => sign_out(&visit, signed_in, end).await,
    }
}

/// A request from a client by form, or the person's confirmation.
pub async fn post(visit: Visit, Form(parameters): Form) -> Result<Response> {
    // A form of another site comes without our cookies, and nobody would be signed out: redirect once by GET.
    let Some(id) = parameters.one("interaction")? else {
        return Ok(Redirect::to(&format!("/logout?{}", parameters.to_query())).into_response());
    };
    let visit = visit.with_ui_locales(parameters.one("ui_locales")?);
    let gone = || OAuthError::invalid_request("this question is too old, sign out again");
    let step = steps::find(&visit, id).await?.ok_or_else(gone)?;
    let Resume::Logout { post_logout_redirect_uri, state } = step.resume.clone() else { return Err(gone()) };
    if !step.end(&visit.issuer).await? {
        return Err(gone());
    }
    let signed_in = visit.cookies.signed_in(&visit.issuer).await?;
    sign_out(&visit, signed_in, End { post_logout_redirect_uri, state }).await
}

/// §2: the hint or `client_id` names the requesting client; they must not contradict each other.
async fn read(issuer: &Issuer, parameters: &Parameters) -> Result<LogoutRequest> {
    let hint = match parameters.one("id_token_hint")? {
        // A removed key neither proves nor disproves the hint: the person is asked.
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
    // §3: the client of the redirect is unknown. The person may still sign out, and stays on our page.
    let Some(client_id) = client_id else {
        return Ok(LogoutRequest { hint, end: End { post_logout_redirect_uri: None, state } });
    };
    let client = issuer.client(&client_id).await?;
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
    Ok(LogoutRequest { hint, end: End { post_logout_redirect_uri, state } })
}

async fn confirm(visit: &Visit, session: &Session, ui_locales: Option<&str>, end: End) -> Result<Response> {
    let End { post_logout_redirect_uri, state } = end;
    let target = post_logout_redirect_uri.clone();
    let resume = Resume::Logout { post_logout_redirect_uri, state };
    let (id, set_cookie) = steps::make(visit, resume, None).await?;
    let fields = steps::fields(&id, ui_locales);
    let question = Page::Logout { name: Some(session.identity.display_name()), fields: &fields };
    let targets: Vec<&str> = target.iter().map(String::as_str).collect();
    Ok((set_cookie, visit.page.respond_towards(StatusCode::OK, &question, &targets)).into_response())
}

/// §3: ends the session and its grants, removes the cookie, and redirects to the client.
async fn sign_out(visit: &Visit, signed_in: Option<SignedIn>, end: End) -> Result<Response> {
    let issuer = &visit.issuer;
    if let Some(signed_in) = signed_in {
        sign_out::of_browser(issuer, &signed_in).await?;
        issuer.count(|counters| &counters.logout);
        let subject = &signed_in.session.identity.subject;
        audit::logout(&issuer.tenant.name, subject, "person", Extent::Session);
    }
    let removal = SetCookies(visit.cookies.end_session());
    // Registered, so it parses; even if it did not, the person is signed out.
    let target = end.post_logout_redirect_uri.and_then(|uri| Url::parse(&uri).ok());
    Ok(match target {
        Some(mut url) => {
            if let Some(state) = end.state {
                url.query_pairs_mut().append_pair("state", &state);
            }
            (removal, [(header::CACHE_CONTROL, "no-store")], Redirect::to(url.as_str())).into_response()
        }
        None => (removal, visit.page.respond(StatusCode::OK, &Page::SignedOut {})).into_response(),
    })
}
