//! `GET /`: the front door. In development it shows the demo.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::registry::demo;
use crate::web::cookies::Cookies;
use crate::web::page_context::PageContext;
use crate::web::pages::{Demo, Page, Person};

/// Who is signed in here, and how to sign out.
pub async fn get(State(app): State<App>, issuer: Issuer, cookies: Cookies, page: PageContext) -> Result<Response> {
    let session = cookies.session(&issuer).await?.map(|(_, session)| session);
    let person = session.as_ref().map(|session| Person {
        name: session.identity.display_name(),
        email: session.identity.profile.get("email").and_then(|email| email.as_str()),
    });
    let shown = app.demo_password.get().map(|password| &**password).filter(|_| *issuer.tenant.name == *demo::NAME);
    let demo = shown.map(|password| Demo { client_id: demo::NAME, username: demo::NAME, password });
    Ok(page.respond(StatusCode::OK, &Page::Index { person, fields: &[], demo }).into_response())
}
