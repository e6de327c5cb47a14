//! `GET POST /`: the front page, with a person's sessions. In development it shows the demo.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::app::App;
use crate::audit::{self, Extent};
use crate::issuer::Issuer;
use crate::page::{Demo, OpenSession, Page, Person};
use crate::protocol::error::{OAuthError, Result};
use crate::registry::demo;
use crate::session::{Session, SignedIn};
use crate::sso::sign_out;
use crate::web::cookies::{Cookies, SetCookies};
use crate::web::form::Form;
use crate::web::visit::Visit;

/// How many sessions are listed; a person with more can sign out everywhere.
const LISTED: usize = 20;

/// Shows who is signed in, the other sessions of that person, and how to sign out.
pub async fn get(State(app): State<App>, visit: Visit) -> Result<Response> {
    let Visit { issuer, cookies, page } = visit;
    let found = cookies.signed_in(&issuer).await?;
    let open = match &found {
        Some(SignedIn { session, .. }) => newest_first(Session::of(&issuer.store, &session.identity.subject).await?),
        None => Vec::new(),
    };
    let times: Vec<String> = open.iter().map(|session| session.authentication.time.to_string()).collect();
    let own = found.as_ref().map(|found| &*found.session.sid);
    let sessions: Vec<OpenSession<'_>> = open
        .iter()
        .zip(&times)
        .map(|(session, since)| OpenSession {
            id: &session.sid,
            since,
            browser: Some(&*session.browser).filter(|browser| !browser.is_empty()),
            this: own == Some(&session.sid),
        })
        .collect();
    let token = found.as_ref().map(|found| cookies.form_token(&found.cookie)).unwrap_or_default();
    let person = found.as_ref().map(|SignedIn { session, .. }| Person {
        name: session.identity.display_name(),
        email: session.identity.profile.get("email").and_then(|email| email.as_str()),
    });
    let shown = app.demo_password.get().map(|password| &**password).filter(|_| *issuer.tenant.name == *demo::NAME);
    let demo = shown.map(|password| Demo { client_id: demo::NAME, username: demo::NAME, password });
    let fields = [("token", &*token)];
    let index = Page::Index { person, fields: &fields, sessions: &sessions, demo };
    Ok(page.respond(StatusCode::OK, &index).into_response())
}

/// Signs out: one session (`session`), or all of them (`everywhere`).
pub async fn post(issuer: Issuer, cookies: Cookies, Form(parameters): Form) -> Result<Response> {
    let Some(SignedIn { cookie, session }) = cookies.signed_in(&issuer).await? else {
        return Ok(Redirect::to("/").into_response());
    };
    let token = parameters.one("token")?.unwrap_or_default();
    if !cookies.is_form_token(&cookie, token) {
        return Err(OAuthError::invalid_request("this page is too old, open it again"));
    }
    let subject = &session.identity.subject;
    let (own, extent) = match parameters.one("session")? {
        Some(sid) => {
            let open = Session::of(&issuer.store, subject).await?;
            // Ended meanwhile, or another person's: the page shows the current sessions.
            if !open.iter().any(|other| other.sid == sid) {
                return Ok(Redirect::to("/").into_response());
            }
            sign_out::named(&issuer, sid).await?;
            (sid == session.sid, Extent::Session)
        }
        None if parameters.one("everywhere")?.is_some() => {
            sign_out::everywhere(&issuer, subject).await?;
            (true, Extent::Everywhere)
        }
        None => return Err(OAuthError::invalid_request("session or everywhere is missing")),
    };
    issuer.count(|counters| &counters.logout);
    audit::logout(&issuer.tenant.name, subject, "person", extent);
    let removal = SetCookies(if own { cookies.end_session() } else { Vec::new() });
    Ok((removal, [(header::CACHE_CONTROL, "no-store")], Redirect::to("/")).into_response())
}

fn newest_first(mut sessions: Vec<Session>) -> Vec<Session> {
    sessions.sort_by_key(|session| std::cmp::Reverse(session.authentication.time));
    sessions.truncate(LISTED);
    sessions
}
