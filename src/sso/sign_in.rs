//! Sign-in with a password: throttled, checked by the login provider, counted and audited. Every password goes through
//! here.

use std::net::IpAddr;
use std::time::Duration;

use crate::audit;
use crate::issuer::Issuer;
use crate::login::Credentials;
use crate::login::people::OutOfTime;
use crate::login::spelling::comparable;
use crate::login::throttle::{self, Admission, Attempt};
use crate::protocol::error::Result;
use crate::session::{Authentication, Identity};
use crate::store::Batch;

/// The outcome.
pub enum SignIn<'i> {
    /// The person authenticated.
    Proven {
        /// Who it is.
        identity: Box<Identity>,
        /// When and how they proved it.
        authentication: Authentication,
        /// Changes that must be stored together with the session or grant that follows.
        batch: Batch<'i>,
    },
    /// Unknown name or wrong password; the answer does not tell which.
    Refused,
    /// Too many attempts; the password was not checked.
    Wait(Duration),
}

/// Signs a person in from `address` and in `browser` (the value of its own cookie).
///
/// Errors: the store or the login provider is unavailable; an attempt that the provider did not answer is not
/// counted, unless it used all the time that a login may take.
pub async fn sign_in<'i>(
    issuer: &'i Issuer,
    credentials: Credentials,
    address: Option<IpAddr>,
    browser: Option<&str>,
) -> Result<SignIn<'i>> {
    let tenant = &*issuer.tenant.name;
    issuer.count(|counters| &counters.login_attempts);
    let (username, way) = (credentials.username.clone(), credentials.grant_type);
    let logged = issuer.services.logged_names.of(&username, &comparable(&username));
    let attempt = Attempt { username: &username, address, browser };
    let ticket = match throttle::admit(issuer.ledger(), issuer.services.throttle, attempt).await? {
        Admission::Granted(ticket) => ticket,
        Admission::Wait(wait) => {
            issuer.count(|counters| &counters.login_failure);
            audit::throttled(tenant, &logged, address, wait);
            return Ok(SignIn::Wait(wait));
        }
    };
    let answer = if username.is_empty() || credentials.password.is_empty() {
        Ok(None)
    } else {
        issuer.services.login.login(&issuer.tenant, credentials).await
    };
    match answer {
        Ok(Some(identity)) => {
            let now = issuer.now();
            let batch = ticket.succeeded(&identity.subject, now, issuer.store.batch())?;
            issuer.count(|counters| &counters.login_success);
            audit::login(tenant, &identity.subject, way);
            Ok(SignIn::Proven { identity: Box::new(identity), authentication: Authentication::by_password(now), batch })
        }
        Ok(None) => {
            ticket.failed(issuer.ledger()).await?;
            issuer.count(|counters| &counters.login_failure);
            audit::login_failure(tenant, &logged, way);
            Ok(SignIn::Refused)
        }
        Err(error) => {
            if error.is::<OutOfTime>() {
                ticket.failed(issuer.ledger()).await?;
            } else {
                ticket.withdrawn(issuer.ledger()).await?;
            }
            issuer.count(|counters| &counters.login_failure);
            audit::login_failure(tenant, &logged, way);
            Err(error.into())
        }
    }
}
