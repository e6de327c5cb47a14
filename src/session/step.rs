//! A pending step of a person, as it travels: sealed in the URL and in the forms of its pages, for one browser at one
//! tenant. Nothing of it is stored, so whoever has no account can begin as many as they like.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::interaction::Resume;
use crate::clock::Timestamp;
use crate::sealing::{Purpose, Sealing};

/// How long a person may take.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// What was interrupted. It carries no proofs: those are rows of the session ([`super::proven::Proven`]).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingStep {
    /// By chance; its proofs lie under it.
    pub id: String,
    /// Where to continue.
    pub resume: Resume,
    /// The `ui_locales` of the request that began it, if no authorization request carries them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_locales: Option<String>,
    /// When it is too old.
    pub expires_at: Timestamp,
}

/// The one browser and tenant for which a step is sealed.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The value of the browser's own cookie, so that nobody can finish another person's step.
    pub browser: &'a str,
}

impl PendingStep {
    /// The step as text for a URL. `everywhere` names the secrets that every living replica has.
    pub async fn seal(&self, sealing: &Sealing, bound: Bound<'_>, everywhere: &BTreeSet<String>) -> Result<String> {
        sealing.seal(Purpose::Steps, &serde_json::to_vec(self)?, &bound.context(), everywhere).await
    }

    /// The step that `sealed` is at `now`; `None` if it is none of this browser and tenant, or too old.
    pub async fn open(sealing: &Sealing, sealed: &str, bound: Bound<'_>, now: Timestamp) -> Result<Option<Self>> {
        let Some(plain) = sealing.open(Purpose::Steps, sealed, &bound.context()).await? else { return Ok(None) };
        let step: Self = serde_json::from_slice(&plain)?;
        Ok((now < step.expires_at).then_some(step))
    }
}

impl Bound<'_> {
    /// Neither has a zero byte, so that no two pairs give the same bytes.
    fn context(&self) -> Vec<u8> {
        [self.tenant.as_bytes(), &[0], self.browser.as_bytes()].concat()
    }
}
