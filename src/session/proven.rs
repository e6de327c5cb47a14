//! What a person has proved on our pages for a pending step: rows of their session, which never leave the server and end
//! with it.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Session;
use super::interaction::Proofs;
use super::record::{everything_of, grants_of_session};
use crate::clock::Timestamp;
use crate::store::{Batch, Loaded, Record, Replacement, Store};

/// How long a proof counts. A step that takes longer asks once more.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The proofs for one step in one session. The step that they were for takes them away as it is finished, in one commit
/// with the code, so that a second finish has none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Proven {
    /// The proofs.
    #[serde(flatten)]
    pub proofs: Proofs,
}

impl Record for Proven {
    const KIND: &'static str = "proven";
}

impl Proven {
    /// The proofs for `step` in the session `sid`.
    pub async fn load(store: &Store, sid: &str, step: &str) -> Result<Option<Loaded<Self>>> {
        store.load(&id(sid, step)).await
    }

    /// Credentials were entered for `step`, in the session `sid` of `subject` that begins with `batch`.
    pub fn signed_in<'s>(step: &str, sid: &str, subject: &str, now: Timestamp, batch: Batch<'s>) -> Result<Batch<'s>> {
        let proven = Self { proofs: Proofs { signed_in: Some(sid.to_owned()), consented: None } };
        batch.put(&id(sid, step), &proven, &groups(sid, subject), now + LIFETIME)
    }

    /// The person of `session` gave consent for `step`.
    pub async fn consented(store: &Store, step: &str, session: &Session, now: Timestamp) -> Result<()> {
        let sid = &session.sid;
        let consented = |before: Option<&Self>| {
            let proofs = before.map(|before| before.proofs.clone()).unwrap_or_default();
            let record = Self { proofs: Proofs { consented: Some(sid.clone()), ..proofs } };
            let groups = groups(sid, &session.identity.subject).into();
            Some(Replacement { record, groups, expires_at: Some(now + LIFETIME) })
        };
        store.update(&id(sid, step), consented).await.map(drop)
    }

    /// Takes the proofs `found` away, in one step with `batch`, which fails if somebody else did.
    pub fn take<'s>(found: &Loaded<Self>, sid: &str, step: &str, batch: Batch<'s>) -> Batch<'s> {
        batch.take(&id(sid, step), found)
    }
}

/// Neither has a line break.
fn id(sid: &str, step: &str) -> String {
    format!("{sid}\n{step}")
}

fn groups(sid: &str, subject: &str) -> [String; 2] {
    [grants_of_session(sid), everything_of(subject)]
}
