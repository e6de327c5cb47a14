//! Pending steps of a person: begun at one endpoint, bound to the browser, resumed at another.
//!
//! A step travels sealed. It is stored only where it is too long for a URL, and while a replica of the version before
//! lives, which knows stored steps alone ([`crate::session::interaction`]).

use axum::response::{IntoResponse, Redirect, Response};

use super::cookies::SetCookie;
use super::visit::Visit;
use crate::issuer::Issuer;
use crate::key::Capability;
use crate::login::network;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::session::interaction::{Interaction, Proofs, Resume};
use crate::session::long_step::{Asker, LONGEST, LongStep};
use crate::session::proven::Proven;
use crate::session::step::{Bound, LIFETIME, PendingStep};
use crate::session::{Session, SignedIn};
use crate::store::slots::SAFE;
use crate::store::{Batch, Loaded};

/// The longest step that travels in a URL, in bytes: the header of a redirect to it still fits into the 4 KB that nginx
/// reads unless it is told otherwise.
const LONGEST_IN_URL: usize = 3500;

/// A pending step that this browser began here.
pub struct Step {
    /// As it stands in URLs and forms.
    pub value: String,
    /// Where to continue.
    pub resume: Resume,
    ui_locales: Option<String>,
    kept: Kept,
}

enum Kept {
    /// Under this id lie its proofs.
    Sealed(String),
    /// By a replica of the version before, or for one.
    Stored(Loaded<Interaction>),
}

/// What has been proved for a step so far.
pub struct Found {
    /// The proofs.
    pub proofs: Proofs,
    row: Option<Loaded<Proven>>,
}

/// Begins a step and redirects the browser to `path?interaction=<step>`.
pub async fn begin(visit: &Visit, path: &str, resume: Resume, ui_locales: Option<String>) -> Result<Response> {
    let (value, set_cookie) = make(visit, resume, ui_locales).await?;
    Ok((set_cookie, go_on(path, &value)).into_response())
}

/// Makes a step of this browser; returns its text, and the cookie that identifies the browser if it has none yet.
///
/// Errors: `temporarily_unavailable` if it is long and too many long ones are pending.
pub async fn make(visit: &Visit, resume: Resume, ui_locales: Option<String>) -> Result<(String, Option<SetCookie>)> {
    let issuer = &visit.issuer;
    let (browser, set_cookie) = visit.cookies.browser(issuer);
    let (expires_at, keys) = (issuer.now() + LIFETIME, &issuer.services.keys);
    if !keys.everywhere(Capability::SealedSteps) {
        let id = issuer.services.random.token();
        let interaction = Interaction { browser, resume, proofs: Proofs::default(), ui_locales };
        issuer.store.put(&id, &interaction, &[], expires_at).await?;
        return Ok((id, set_cookie));
    }
    let step = PendingStep { id: issuer.services.random.identifier(), resume, ui_locales, expires_at };
    let bound = Bound { tenant: &issuer.tenant.name, browser: &browser };
    let sealed = step.seal(&issuer.services.sealing, bound, &keys.opened_everywhere()).await?;
    let value = if sealed.len() <= LONGEST_IN_URL { sealed } else { keep(issuer, sealed, &step).await? };
    Ok((value, set_cookie))
}

/// Stores what is too long for a URL.
async fn keep(issuer: &Issuer, sealed: String, step: &PendingStep) -> Result<String> {
    if sealed.len() > LONGEST {
        return Err(OAuthError::invalid_request("the request is too long"));
    }
    let (sealing, random) = (&issuer.services.sealing, &issuer.services.random);
    let tenant = issuer.tenant.name.as_bytes();
    let mut begin = [0; 4];
    random.fill(&mut begin);
    // Where the address is not known, it is as if everybody came from one of their own.
    let address = issuer.caller.map_or_else(|| random.identifier(), |address| network::of(address).to_string());
    let asker = Asker {
        who: sealing.digest(b"address", &[tenant, &[0], address.as_bytes()].concat()).await?,
        tenant: sealing.digest(b"tenant", tenant).await?,
        begin: u32::from_be_bytes(begin),
    };
    let (token, outside_tenants) = (random.token(), issuer.store.within("*"));
    let kept = LongStep { sealed }.keep(&outside_tenants, asker, &token, issuer.now(), step.expires_at);
    let full = "too many long requests are waiting for somebody to sign in, try again in a few minutes";
    kept.await?.ok_or_else(|| OAuthError::new(ErrorCode::TemporarilyUnavailable, full).after(SAFE))
}

/// Sends the browser to `path` with the step `value`.
pub fn go_on(path: &str, value: &str) -> Redirect {
    Redirect::to(&format!("{path}?interaction={value}"))
}

/// The hidden fields of a step's form: the step, and `ui_locales`, which is all that is known when it has expired.
pub fn fields<'a>(value: &'a str, ui_locales: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    [("interaction", value)].into_iter().chain(ui_locales.map(|wish| ("ui_locales", wish))).collect()
}

/// The pending step, if it was begun in this browser.
pub async fn find(visit: &Visit, value: &str) -> Result<Option<Step>> {
    let issuer = &visit.issuer;
    let Some(browser) = visit.cookies.own_browser() else { return Ok(None) };
    // What is stored has a name without a dot.
    if !value.contains('.') {
        let found = issuer.store.load::<Interaction>(value).await?;
        return Ok(found.filter(|found| visit.cookies.is_browser(&found.record.browser)).map(|found| Step {
            value: value.to_owned(),
            resume: found.record.resume.clone(),
            ui_locales: found.record.ui_locales.clone(),
            kept: Kept::Stored(found),
        }));
    }
    let long = match LongStep::token_of(value) {
        Some(token) => issuer.store.within("*").get::<LongStep>(token).await?.map(|long| long.sealed),
        None => Some(value.to_owned()).filter(|value| value.len() <= LONGEST_IN_URL),
    };
    let Some(sealed) = long else { return Ok(None) };
    let bound = Bound { tenant: &issuer.tenant.name, browser };
    let step = PendingStep::open(&issuer.services.sealing, &sealed, bound, issuer.now()).await?;
    Ok(step.map(|PendingStep { id, resume, ui_locales, .. }| Step {
        value: value.to_owned(),
        resume,
        ui_locales,
        kept: Kept::Sealed(id),
    }))
}

impl Step {
    /// The preferred languages of its pages (OIDC Core §3.1.2.1).
    pub fn ui_locales(&self) -> Option<&str> {
        match &self.resume {
            Resume::Authorize(pending) => pending.request.ui_locales.as_deref(),
            _ => self.ui_locales.as_deref(),
        }
    }

    /// What the person of `session` has proved for it.
    pub async fn proved(&self, issuer: &Issuer, session: Option<&Session>) -> Result<Found> {
        let row = match (&self.kept, session) {
            (Kept::Stored(found), _) => return Ok(Found { proofs: found.record.proofs.clone(), row: None }),
            (Kept::Sealed(id), Some(session)) if self.counts_proofs(issuer) => {
                Proven::load(&issuer.store, &session.sid, id).await?
            }
            _ => None,
        };
        let proofs = row.as_ref().map(|row| row.record.proofs.clone()).unwrap_or_default();
        Ok(Found { proofs, row })
    }

    /// Notes, in one step with `batch`, that credentials were entered in the session `sid` of `subject`.
    pub fn signed_in<'s>(&self, issuer: &Issuer, sid: &str, subject: &str, batch: Batch<'s>) -> Result<Batch<'s>> {
        let now = issuer.now();
        Ok(match &self.kept {
            Kept::Stored(found) => {
                let proofs = Proofs { signed_in: Some(sid.to_owned()), ..found.record.proofs.clone() };
                let to = Interaction { proofs, ..found.record.clone() };
                batch.replace(&self.value, Some(found), &to, &[], Some(now + LIFETIME))?
            }
            Kept::Sealed(id) if self.counts_proofs(issuer) => Proven::signed_in(id, sid, subject, now, batch)?,
            Kept::Sealed(_) => batch,
        })
    }

    /// Notes that the person of `session` gave consent; `false` if the step is gone.
    pub async fn consented(&self, issuer: &Issuer, session: &Session) -> Result<bool> {
        let now = issuer.now();
        match &self.kept {
            Kept::Stored(found) => {
                let proofs = Proofs { consented: Some(session.sid.clone()), ..found.record.proofs.clone() };
                let to = Interaction { proofs, ..found.record.clone() };
                let until = Some(now + LIFETIME);
                Ok(issuer.store.replace(&self.value, Some(found), &to, &[], until).await?)
            }
            Kept::Sealed(id) => {
                if self.counts_proofs(issuer) {
                    Proven::consented(&issuer.store, id, session, now).await?;
                }
                Ok(true)
            }
        }
    }

    /// Finishes it, in one step with `batch`: its proofs go, so that none of them counts twice. A stored step goes itself.
    pub fn finish<'s>(&self, found: &Found, session: &Session, batch: Batch<'s>) -> Batch<'s> {
        match (&self.kept, &found.row) {
            (Kept::Stored(stored), _) => batch.take(&self.value, stored),
            (Kept::Sealed(id), Some(row)) => Proven::take(row, &session.sid, id, batch),
            (Kept::Sealed(_), None) => batch,
        }
    }

    /// Finishes it where nothing else is stored; `false` if somebody else did.
    pub async fn finished(&self, issuer: &Issuer, signed_in: &SignedIn) -> Result<bool> {
        let found = self.proved(issuer, Some(&signed_in.session)).await?;
        Ok(self.finish(&found, &signed_in.session, issuer.store.batch()).commit().await?)
    }

    /// Gives it up; `false` if it was given up already.
    pub async fn end(&self, issuer: &Issuer) -> Result<bool> {
        match &self.kept {
            Kept::Stored(stored) => Ok(issuer.store.batch().take(&self.value, stored).commit().await?),
            Kept::Sealed(_) => Ok(true),
        }
    }

    /// Sends the browser to where it continues after a page.
    pub fn go_on(&self) -> Redirect {
        match &self.resume {
            Resume::Authorize(_) => go_on("/authorize", &self.value),
            Resume::Activate { .. } => go_on("/activate", &self.value),
            Resume::Logout { .. } => go_on("/logout", &self.value),
            Resume::Location(url) => Redirect::to(url),
            Resume::Home => Redirect::to("/"),
        }
    }

    fn counts_proofs(&self, issuer: &Issuer) -> bool {
        self.resume.counts_proofs(issuer.tenant.silent_login, issuer.services.confirm_native)
    }
}
