//! Passes: the access tokens that a proxy adds to requests for the applications behind it.
//!
//! A pass is made once and used until shortly before it expires, so that a page with a hundred images costs one
//! signature. The caller has already checked that the session lives.

use std::sync::Arc;

use super::issue::issue;
use super::{Authorization, Grant, Holder, PersonalAuthorization};
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::protocol::scope::Scope;
use crate::recent::Recent;
use crate::session::{Identity, Session, SignedIn};
use crate::store::digest;

/// How many passes are kept per generation; a pass is about a kilobyte.
const KEPT: usize = 10_000;
/// The scope of an application behind a proxy at `/userinfo`; the claims of the token say as much.
const SCOPE: &str = "openid profile email";

/// The passes of this process. Cheap to clone.
#[derive(Clone)]
pub struct Passes(Arc<Recent<String, Slot>>);

/// A slot for one pass; its holder makes the pass while the others wait.
type Slot = Arc<tokio::sync::Mutex<Option<Pass>>>;

struct Pass {
    token: Arc<str>,
    /// Who the token speaks of; another role needs another token.
    person: Identity,
    renew_at: Timestamp,
}

impl Default for Passes {
    fn default() -> Self {
        Self(Arc::new(Recent::keeping(KEPT)))
    }
}

impl Passes {
    /// The access token for the person who is signed in, at the application with the origin `application`. `None`: the
    /// session has just ended.
    pub async fn of(&self, issuer: &Issuer, signed_in: &SignedIn, application: &str) -> Result<Option<Arc<str>>> {
        let (cookie, algorithm) = (&signed_in.cookie, issuer.signer().await?.algorithm());
        // A tenant whose algorithm or issuer changes gets new passes at once.
        let slot = self.0.get_or_default(digest(&format!("{cookie}\n{application}\n{}\n{algorithm}", issuer.url)));
        let mut slot = slot.lock().await;
        let still_true = |pass: &&Pass| issuer.now() < pass.renew_at && pass.person == signed_in.session.identity;
        if let Some(pass) = slot.as_ref().filter(still_true) {
            return Ok(Some(pass.token.clone()));
        }
        let pass = make(issuer, signed_in, application).await?;
        Ok(pass.map(|pass| slot.insert(pass).token.clone()))
    }
}

/// Stores the grant of the token, so that it ends with the session, and signs.
async fn make(issuer: &Issuer, signed_in: &SignedIn, application: &str) -> Result<Option<Pass>> {
    let now = issuer.now();
    let life = issuer.services.lifetimes.access_token;
    let person = signed_in.person(&signed_in.session.authentication.acr);
    let new = Grant::new(application, &issuer.url, person, Scope::from(SCOPE.to_owned()), now + life);
    let grant = Grant { application: Some(true), ..new };
    let grant_id = issuer.services.random.identifier();
    let in_session = Session::require(&signed_in.cookie, issuer.store.batch());
    if !grant.create(&grant_id, in_session)?.commit().await? {
        return Ok(None);
    }
    let person = PersonalAuthorization { grant_id, grant, nonce: None, refresh_token: None };
    let authorization = Authorization::of_person(Holder::Application(application.to_owned()), person);
    let token = issue(issuer, authorization).await?.access_token;
    let person = signed_in.session.identity.clone();
    Ok(Some(Pass { token: token.into(), person, renew_at: now + life - life / 5 }))
}
