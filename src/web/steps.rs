//! Pending steps of a person: begun at one endpoint, bound to the browser, resumed at another.

use axum::response::{IntoResponse, Redirect, Response};

use super::cookies::SetCookie;
use super::visit::Visit;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::session::interaction::{Interaction, LIFETIME, Resume};
use crate::store::{Batch, Loaded};

/// Stores what is interrupted and sends the browser to `path?interaction=<id>`.
pub async fn begin(visit: &Visit, path: &str, interaction: Interaction) -> Result<Response> {
    let (id, set_cookie) = store(visit, interaction).await?;
    Ok((set_cookie, Redirect::to(&format!("{path}?interaction={id}"))).into_response())
}

/// Stores a step of this browser: its id, and the cookie that tells the browser apart where it has none.
pub async fn store(visit: &Visit, interaction: Interaction) -> Result<(String, Option<SetCookie>)> {
    let issuer = &visit.issuer;
    let (browser, set_cookie) = visit.cookies.browser(issuer);
    let id = issuer.services.random.token();
    issuer.store.put(&id, &Interaction { browser, ..interaction }, &[], issuer.now() + LIFETIME).await?;
    Ok((id, set_cookie))
}

/// What the form of a step carries: its id, and the wish for languages, which is all that is known when it is too old.
pub fn fields<'a>(id: &'a str, ui_locales: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    [("interaction", id)].into_iter().chain(ui_locales.map(|wish| ("ui_locales", wish))).collect()
}

/// The pending step, if it was begun in this browser.
pub async fn find(visit: &Visit, id: &str) -> Result<Option<Loaded<Interaction>>> {
    let interaction = visit.issuer.store.load::<Interaction>(id).await?;
    Ok(interaction.filter(|interaction| visit.cookies.is_browser(&interaction.record.browser)))
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
pub async fn take(visit: &Visit, id: &str) -> Result<Option<Interaction>> {
    // Looked at before it is taken, so that another browser cannot take it.
    let Some(found) = find(visit, id).await? else { return Ok(None) };
    Ok(visit.issuer.store.remove::<Interaction>(id).await?.then_some(found.record))
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
