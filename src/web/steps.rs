//! Pending steps of a person: begun at one endpoint, bound to the browser, resumed at another.

use axum::response::{IntoResponse, Redirect, Response};

use super::cookies::Cookies;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::session::interaction::{Interaction, LIFETIME, Resume};
use crate::store::{Batch, Loaded};

/// Stores what is interrupted, with the languages that were wished for, and sends the browser to
/// `path?interaction=<id>`.
pub async fn begin(
    issuer: &Issuer,
    cookies: &Cookies,
    path: &str,
    resume: Resume,
    ui_locales: Option<String>,
) -> Result<Response> {
    let (browser, set_cookie) = cookies.browser(issuer);
    let id = store(issuer, &Interaction::new(browser, resume, ui_locales)).await?;
    Ok((set_cookie, Redirect::to(&format!("{path}?interaction={id}"))).into_response())
}

/// Like [`begin`], for a step that follows another one in which credentials may have been entered (in the session
/// `signed_in`).
pub async fn go_on(
    issuer: &Issuer,
    cookies: &Cookies,
    path: &str,
    resume: Resume,
    signed_in: Option<String>,
) -> Result<Response> {
    let (browser, set_cookie) = cookies.browser(issuer);
    let interaction = Interaction { signed_in, ..Interaction::new(browser, resume, None) };
    let id = store(issuer, &interaction).await?;
    Ok((set_cookie, Redirect::to(&format!("{path}?interaction={id}"))).into_response())
}

/// What the form of a step carries: its id, and the wish for languages, which is all that is known when it is too old.
pub fn fields<'a>(id: &'a str, ui_locales: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    [("interaction", id)].into_iter().chain(ui_locales.map(|wish| ("ui_locales", wish))).collect()
}

/// Stores a step and gives its id.
pub async fn store(issuer: &Issuer, interaction: &Interaction) -> Result<String> {
    let id = issuer.services.random.token();
    issuer.store.put(&id, interaction, &[], issuer.now() + LIFETIME).await?;
    Ok(id)
}

/// The pending step, if it was begun in this browser.
pub async fn find(issuer: &Issuer, cookies: &Cookies, id: &str) -> Result<Option<Loaded<Interaction>>> {
    let interaction = issuer.store.load::<Interaction>(id).await?;
    Ok(interaction.filter(|interaction| cookies.is_browser(&interaction.record.browser)))
}

/// Changes a step that goes on under the same id along with what `batch` holds, unless it is taken or changed meanwhile.
pub fn update<'s>(
    issuer: &Issuer,
    id: &str,
    from: &Loaded<Interaction>,
    to: &Interaction,
    batch: Batch<'s>,
) -> Result<Batch<'s>> {
    Ok(batch.replace(id, Some(from), to, &[], Some(issuer.now() + LIFETIME))?)
}

/// Takes the step away, if it was begun in this browser: of many who try, one gets it.
pub async fn take(issuer: &Issuer, cookies: &Cookies, id: &str) -> Result<Option<Interaction>> {
    // Looked at before it is taken, so that another browser cannot take it.
    let Some(found) = find(issuer, cookies, id).await? else { return Ok(None) };
    Ok(issuer.store.remove::<Interaction>(id).await?.then_some(found.record))
}

/// Where a browser goes on after a page.
pub fn location(resume: &Resume, id: &str) -> String {
    match resume {
        Resume::Authorize(_) => format!("/authorize?interaction={id}"),
        Resume::Activate { .. } => format!("/activate?interaction={id}"),
        Resume::Logout { .. } => format!("/logout?interaction={id}"),
        Resume::Location(url) => url.clone(),
        Resume::Home => "/".to_owned(),
    }
}
