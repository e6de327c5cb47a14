//! `GET POST /consent`: may the client have this? OIDC Core §3.1.2.4.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use crate::grant::authorization_code::asked_scope;
use crate::issuer::Issuer;
use crate::page::Page;
use crate::protocol::error::{OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::registry::client::Client;
use crate::session::Session;
use crate::session::consent::Consent;
use crate::session::interaction::{Interaction, PendingAuthorization, Resume};
use crate::store::Loaded;
use crate::web::callback::Callback;
use crate::web::cookies::Cookies;
use crate::web::form::Form;
use crate::web::page_context::PageContext;
use crate::web::steps;

/// A consent that waits for its person.
struct Question {
    interaction: Loaded<Interaction>,
    pending: PendingAuthorization,
    client: Arc<Client>,
    scope: Scope,
    session: Session,
}

/// The question.
pub async fn get(issuer: Issuer, cookies: Cookies, page: PageContext, Form(parameters): Form) -> Result<Response> {
    let id = parameters.required("interaction")?;
    let question = find(&issuer, &cookies, id).await?;
    let scopes: Vec<&str> = question.scope.iter().collect();
    let page = page.with_ui_locales(question.pending.request.ui_locales.as_deref());
    let consent = Page::Consent {
        action: "/consent",
        client: &question.client.name,
        scopes: &scopes,
        name: Some(question.session.identity.display_name()),
        fields: &[("interaction", id)],
    };
    Ok(page.respond_towards(StatusCode::OK, &consent, &[&question.pending.redirect_uri]))
}

/// The answer.
pub async fn post(issuer: Issuer, cookies: Cookies, page: PageContext, Form(parameters): Form) -> Result<Response> {
    let id = parameters.required("interaction")?;
    let question = find(&issuer, &cookies, id).await?;
    match parameters.required("decision")? {
        "allow" => {
            let subject = &question.session.identity.subject;
            Consent::remember(&issuer.store, subject, &question.client.ident, question.scope, issuer.now()).await?;
            let to =
                Interaction { consented: Some(question.session.sid.clone()), ..question.interaction.record.clone() };
            match steps::update(&issuer, id, &question.interaction, &to, issuer.store.batch())?.commit().await? {
                true => Ok(Redirect::to(&steps::location(&to.resume, id)).into_response()),
                false => Err(gone()),
            }
        }
        "deny" => {
            steps::take(&issuer, &cookies, id).await?.ok_or_else(gone)?;
            let PendingAuthorization { client_id, redirect_uri, state, response_mode, request } = question.pending;
            let page = page.with_ui_locales(request.ui_locales.as_deref());
            let callback = Callback::prove(&issuer, &client_id, redirect_uri, state, response_mode)?;
            Ok(callback.error(&page, OAuthError::access_denied("the person did not consent")))
        }
        _ => Err(OAuthError::invalid_request("decision must be allow or deny")),
    }
}

fn gone() -> OAuthError {
    OAuthError::invalid_request("this question is too old, start again at the application")
}

async fn find(issuer: &Issuer, cookies: &Cookies, id: &str) -> Result<Question> {
    let interaction = steps::find(issuer, cookies, id).await?.ok_or_else(gone)?;
    let Resume::Authorize(pending) = interaction.record.resume.clone() else { return Err(gone()) };
    let client = issuer.client(&pending.client_id).ok_or_else(gone)?;
    let (_, session) = cookies.session(issuer).await?.ok_or_else(gone)?;
    let scope = asked_scope(&client, &pending.request)?;
    Ok(Question { interaction, pending: *pending, client, scope, session })
}
