//! `GET POST /consent`: may the client have this? OIDC Core §3.1.2.4.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::grant::authorize::Permitted;
use crate::page::Page;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::registry::client::Client;
use crate::session::consent::Consent;
use crate::session::interaction::{PendingAuthorization, Resume};
use crate::session::{Session, SignedIn};
use crate::web::callback::Callback;
use crate::web::form::Form;
use crate::web::steps::{self, Step};
use crate::web::visit::Visit;

/// A consent that is pending.
struct Question {
    step: Step,
    pending: PendingAuthorization,
    client: Arc<Client>,
    scope: Scope,
    session: Session,
}

/// Asks the question.
pub async fn get(visit: Visit, Form(parameters): Form) -> Result<Response> {
    let id = parameters.required("interaction")?;
    let Some(question) = find(&visit, id).await? else { return Ok(back(id)) };
    let scopes: Vec<&str> = question.scope.iter().collect();
    let visit = visit.with_ui_locales(question.pending.request.ui_locales.as_deref());
    let consent = Page::Consent {
        action: "/consent",
        client: &question.client.name,
        scopes: &scopes,
        name: Some(question.session.identity.display_name()),
        fields: &[("interaction", id)],
    };
    Ok(visit.page.respond_towards(StatusCode::OK, &consent, &[&question.pending.redirect_uri]))
}

/// Reads the decision.
pub async fn post(visit: Visit, Form(parameters): Form) -> Result<Response> {
    let id = parameters.required("interaction")?;
    let Some(question) = find(&visit, id).await? else { return Ok(back(id)) };
    match parameters.required("decision")? {
        "allow" => allow(&visit, question).await,
        "deny" => {
            if !question.step.end(&visit.issuer).await? {
                return Err(gone());
            }
            let PendingAuthorization { client_id, redirect_uri, state, response_mode, request } = question.pending;
            let visit = visit.with_ui_locales(request.ui_locales.as_deref());
            let callback = Callback::prove(&visit.issuer, &client_id, redirect_uri, state, response_mode).await?;
            Ok(callback.error(&visit.page, OAuthError::access_denied("the person did not consent")))
        }
        _ => Err(OAuthError::invalid_request("decision must be allow or deny")),
    }
}

/// Remembers the consent, and resumes its request.
async fn allow(visit: &Visit, question: Question) -> Result<Response> {
    let Question { step, client, scope, session, .. } = question;
    let issuer = &visit.issuer;
    Consent::remember(&issuer.store, &session.identity.subject, &client.ident, scope, issuer.now()).await?;
    if step.consented(issuer, &session).await? { Ok(step.go_on().into_response()) } else { Err(gone()) }
}

fn gone() -> OAuthError {
    OAuthError::invalid_request("this question is too old, start again at the application")
}

/// The pending question of this browser; `None` if the client may not ask it any more, which `/authorize` tells it.
async fn find(visit: &Visit, id: &str) -> Result<Option<Question>> {
    let step = steps::find(visit, id).await?.ok_or_else(gone)?;
    let Resume::Authorize(pending) = step.resume.clone() else { return Err(gone()) };
    let client = visit.issuer.client(&pending.client_id).await?.ok_or_else(gone)?;
    let SignedIn { session, .. } = visit.cookies.signed_in(&visit.issuer).await?.ok_or_else(gone)?;
    let Ok(permitted) = Permitted::of(&client, &pending.request) else { return Ok(None) };
    Ok(Some(Question { step, pending: *pending, client, scope: permitted.asked_scope(), session }))
}

fn back(id: &str) -> Response {
    steps::go_on("/authorize", id).into_response()
}
