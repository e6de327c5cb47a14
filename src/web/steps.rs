//! Pending steps of a person: begun at one endpoint, bound to the browser, resumed at another.

use axum::response::{IntoResponse, Redirect, Response};

use super::cookies::SetCookie;
use super::visit::Visit;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::session::interaction::{Interaction, LIFETIME, Resume};
use crate::store::{Batch, Loaded};

/// Stores a new step and redirects the browser to `path?interaction=<id>`.
pub async fn begin(visit: &Visit, path: &str, interaction: Interaction) -> Result<Response> {
    let (id, set_cookie) = store(visit, interaction).await?;
    Ok((set_cookie, go_on(path, &id)).into_response())
}

/// Stores a step of this browser; returns its id, and the cookie that identifies the browser if it has none yet.
pub async fn store(visit: &Visit, interaction: Interaction) -> Result<(String, Option<SetCookie>)> {
    let issuer = &visit.issuer;
    let (browser, set_cookie) = visit.cookies.browser(issuer);
    let id = issuer.services.random.token();
    issuer.store.put(&id, &Interaction { browser, ..interaction }, &[], issuer.now() + LIFETIME).await?;
    Ok((id, set_cookie))
}

/// Sends the browser to `path` with the step `id`.
pub fn go_on(path: &str, id: &str) -> Redirect {
    Redirect::to(&format!("{path}?interaction={id}"))
}

/// The hidden fields of a step's form: its id, and `ui_locales`, which is all that is known when it has expired.
pub fn fields<'a>(id: &'a str, ui_locales: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    [("interaction", id)].into_iter().chain(ui_locales.map(|wish| ("ui_locales", wish))).collect()
}

/// The pending step, if it was begun in this browser.
pub async fn find(visit: &Visit, id: &str) -> Result<Option<Loaded<Interaction>>> {
    let interaction = visit.issuer.store.load::<Interaction>(id).await?;
    Ok(interaction.filter(|interaction| visit.cookies.is_browser(&interaction.record.browser)))
}

/// Changes a step that continues under the same id, in one step with `batch`, unless it was removed or changed
/// meanwhile.
pub fn update<'s>(
    issuer: &Issuer,
    id: &str,
    from: &Loaded<Interaction>,
    to: &Interaction,
    batch: Batch<'s>,
) -> Result<Batch<'s>> {
    Ok(batch.replace(id, Some(from), to, &[], Some(issuer.now() + LIFETIME))?)
}

/// Removes the step, if it was begun in this browser: of many concurrent calls one gets it.
pub async fn take(visit: &Visit, id: &str) -> Result<Option<Interaction>> {
    // Checked before it is removed, so that another browser cannot remove it.
    let Some(found) = find(visit, id).await? else { return Ok(None) };
    Ok(visit.issuer.store.remove::<Interaction>(id).await?.then_some(found.record))
}

/// Sends the browser to where it continues after a page.
pub fn resume(resume: &Resume, id: &str) -> Redirect {
    match resume {
        Resume::Authorize(_) => go_on("/authorize", id),
        Resume::Activate { .. } => go_on("/activate", id),
        Resume::Logout { .. } => go_on("/logout", id),
        Resume::Location(url) => Redirect::to(url),
        Resume::Home => Redirect::to("/"),
    }
}
