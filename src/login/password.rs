//! Password hashes in PHC form (`$argon2id$v=19$m=..,t=..,p=..$salt$hash`): check, verify, make.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::protocol::error::Unavailable;
use crate::random::Random;
use crate::registry::client::{ClientSecret, is_affordable};

/// Matches no password. Its parameters are those of [`hash`], so that an unknown user takes as long as a known one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdCBvZiBhIG5vYm9keQ$Tm9ib2R5J3MgcGFzc3dvcmQgaGFzaCBub3Q/IQAAAAA";

/// How long a client waits for a place at its gate.
const PATIENCE: Duration = Duration::from_secs(20);

/// Verifies passwords on blocking threads, no more at once than the machine has cores. People and clients have a gate each,
/// so that neither waits behind a flood of the other.
#[derive(Clone, Debug)]
pub struct PasswordChecker {
    people: Arc<Semaphore>,
    clients: Arc<Semaphore>,
}

impl PasswordChecker {
    /// A checker with one place per core for people, and one for each second core for clients.
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { people: Arc::new(Semaphore::new(cores)), clients: Arc::new(Semaphore::new(cores.div_ceil(2))) }
    }

    /// Whether `password` belongs to `hash`. Without a hash (an unknown user) the same work is done and the answer is no.
    pub async fn verify(&self, hash: Option<&str>, password: &str) -> bool {
        let known = hash.is_some();
        let hash = hash.unwrap_or(NOBODY).to_owned();
        let password = Zeroizing::new(password.to_owned());
        known & self.at_the_gate(move || matches!(verify(&hash, &password), Ok(true))).await
    }

    /// A place at the gate of clients, for [`PasswordChecker::compare`].
    ///
    /// Errors: [`Unavailable`] when so many wait that it would take too long.
    pub(super) async fn place_for_client(&self) -> Result<OwnedSemaphorePermit> {
        let busy = "the comparison of client secrets";
        let place = timeout(PATIENCE, Arc::clone(&self.clients).acquire_owned()).await;
        place.context(Unavailable(busy))?.context(Unavailable(busy))
    }

    /// Whether `presented` is the slow `secret` of a client.
    pub(super) async fn compare(&self, secret: ClientSecret, presented: String, place: OwnedSemaphorePermit) -> bool {
        let presented = Zeroizing::new(presented);
        computed(place, move || secret.verify(&presented)).await
    }

    async fn at_the_gate(&self, work: impl FnOnce() -> bool + Send + 'static) -> bool {
        let Ok(place) = Arc::clone(&self.people).acquire_owned().await else { return false };
        computed(place, work).await
    }
}

/// The permit moves along: a caller who gives up must not free it while the computation still runs.
async fn computed(place: OwnedSemaphorePermit, work: impl FnOnce() -> bool + Send + 'static) -> bool {
    let work = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    work.await.unwrap_or(false)
}

impl Default for PasswordChecker {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a user entry may carry `hash`: argon2id, complete, and not heavier than a login may be.
///
/// # Errors
/// Says what is wrong with it, without repeating it.
pub fn check_hash(hash: &str) -> Result<(), String> {
    let parsed = parse(hash)?;
    if parsed.algorithm.as_str() != "argon2id" {
        return Err(format!("{} is not argon2id", parsed.algorithm));
    }
    Ok(())
}

/// Hashes `password` with a fresh salt and the default parameters (argon2id, 19 MiB, 2 passes, 1 lane).
pub fn hash(password: &str, random: &dyn Random) -> String {
    let mut salt = [0; 16];
    random.fill(&mut salt);
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("the default parameters and a salt of 16 bytes are valid")
        .to_string()
}

/// Computes on the calling thread whether `password` belongs to `hash`, which may be argon2id, argon2i or argon2d.
///
/// # Errors
/// Says what is wrong with the hash, without repeating it.
pub(super) fn verify(hash: &str, password: &str) -> Result<bool, String> {
    match Argon2::default().verify_password(password.as_bytes(), &parse(hash)?) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(format!("argon2: {error}")),
    }
}

/// What decides how long `hash` takes to verify: memory, passes and lanes; `None` for what is no hash.
pub(super) fn cost(hash: &str) -> Option<(u32, u32, u32)> {
    let params = Params::try_from(&parse(hash).ok()?).ok()?;
    Some((params.m_cost(), params.t_cost(), params.p_cost()))
}

fn parse(hash: &str) -> Result<PasswordHash, String> {
    let parsed = PasswordHash::new(hash).map_err(|error| format!("not a password hash in PHC form: {error}"))?;
    argon2::Algorithm::try_from(parsed.algorithm.as_str())
        .map_err(|_| format!("{} is not argon2", parsed.algorithm))?;
    if parsed.salt.is_none() || parsed.hash.is_none() {
        return Err("the salt or the hash is missing".to_owned());
    }
    let params = Params::try_from(&parsed).map_err(|error| format!("parameters of argon2: {error}"))?;
    if !is_affordable(&params) {
        return Err(format!("m={},t={} costs too much for a login", params.m_cost(), params.t_cost()));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_is_computed_at_once_than_the_machine_has_cores() {
        let checker = PasswordChecker::new();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let flood = (0..60).map(|_| {
            let (now, most) = (now.clone(), most.clone());
            checker.at_the_gate(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                now.fetch_sub(1, Ordering::SeqCst);
                true
            })
        });
        assert!(futures_util::future::join_all(flood).await.into_iter().all(|done| done));
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        assert!((1..=cores).contains(&most.load(Ordering::SeqCst)), "{most:?} at once on {cores} cores");
    }

    #[test]
    fn an_unknown_user_costs_what_a_fresh_hash_costs() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        check_hash(NOBODY).unwrap();
        let fresh = PasswordHash::new(&hash("x", &crate::random::SystemRandom)).unwrap();
        assert_eq!(nobody.params, fresh.params);
        assert_eq!(nobody.salt.unwrap().len(), fresh.salt.unwrap().len());
        assert_eq!(nobody.hash.unwrap().len(), fresh.hash.unwrap().len());
    }
}
