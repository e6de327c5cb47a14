//! Pending steps of a person: begun at one endpoint, bound to the browser, resumed at another.

use axum::response::{IntoResponse, Redirect, Response};

use super::cookies::Cookies;
use crate::issuer::Issuer;
use crate::login::interaction::{Interaction, LIFETIME, Resume};
use crate::protocol::error::Result;

/// Stores what is interrupted and sends the browser to `path?interaction=<id>`.
pub async fn begin(issuer: &Issuer, cookies: &Cookies, path: &str, resume: Resume) -> Result<Response> {
    go_on(issuer, cookies, path, resume, false).await
}

/// Like [`begin`], for a step that follows another one in which credentials may have been entered.
pub async fn go_on(
    issuer: &Issuer,
    cookies: &Cookies,
    path: &str,
    resume: Resume,
    signed_in: bool,
) -> Result<Response> {
    let (browser, set_cookie) = cookies.browser(issuer);
    let interaction = Interaction { browser, resume, signed_in, consented: false };
    let id = store(issuer, &interaction).await?;
    Ok((set_cookie, Redirect::to(&format!("{path}?interaction={id}"))).into_response())
}

/// Stores a step and gives its id.
pub async fn store(issuer: &Issuer, interaction: &Interaction) -> Result<String> {
    let id = issuer.random.token();
    issuer.store.put(&id, interaction, &[], issuer.now() + LIFETIME).await?;
    Ok(id)
}

/// Changes a step that goes on under the same id.
pub async fn update(issuer: &Issuer, id: &str, interaction: &Interaction) -> Result<()> {
    Ok(issuer.store.put(id, interaction, &[], issuer.now() + LIFETIME).await?)
}

/// The pending step, if it was begun in this browser.
pub async fn find(issuer: &Issuer, cookies: &Cookies, id: &str) -> Result<Option<Interaction>> {
    let interaction = issuer.store.get::<Interaction>(id).await?;
    Ok(interaction.filter(|interaction| cookies.is_browser(&interaction.browser)))
}

/// Where a browser goes on after a page.
pub fn location(resume: &Resume, id: &str) -> String {
    match resume {
        Resume::Authorize(_) => format!("/authorize?interaction={id}"),
        Resume::Logout { .. } => format!("/logout?interaction={id}"),
        Resume::Location(url) => url.clone(),
        Resume::Home => "/".to_owned(),
    }
}
