//! The audit trail: sign-ins, failures, issued and revoked tokens, ended sessions, one line each.
//!
//! The lines have the target `uitsmijter::audit` and a member `event`. The span of the request has the address and the
//! request id, and the client if one sent the person. The lines carry no token, no code and no password; what strangers
//! typed is truncated and escaped.

use std::net::IpAddr;
use std::time::Duration;

const TARGET: &str = "uitsmijter::audit";
/// The longest user name that is logged, in characters.
const LONGEST_NAME: usize = 64;

/// Somebody proved who they are. `way` is the grant type that login scripts see.
pub fn login(tenant: &str, subject: &str, way: &str) {
    tracing::info!(target: TARGET, event = "login", tenant, subject, way, "signed in");
}

/// A wrong password, or an unknown name. `username` is what [`LoggedNames`](crate::logged_name::LoggedNames) makes of it.
pub fn login_failure(tenant: &str, username: &str, way: &str) {
    let username = typed(username);
    tracing::info!(target: TARGET, event = "login_failure", tenant, username, way, "could not sign in");
}

/// Too many attempts; the password was not checked. `username` is as in [`login_failure`].
pub fn throttled(tenant: &str, username: &str, address: Option<IpAddr>, wait: Duration) {
    let (username, seconds) = (typed(username), wait.as_secs());
    let from = address.map(|address| address.to_string());
    tracing::warn!(target: TARGET, event = "throttled", tenant, username, from, seconds, "has to wait");
}

/// What ends with a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// One session and the grants given in it.
    Session,
    /// All sessions and all grants of the person.
    Everywhere,
}

/// A session was ended by its person, or by the login provider (`by`). Its grants end with it in one step, so this line
/// stands for all of them and no `token_revoked` follows.
pub fn logout(tenant: &str, subject: &str, by: &str, extent: Extent) {
    let extent = match extent {
        Extent::Session => "session",
        Extent::Everywhere => "everywhere",
    };
    tracing::info!(target: TARGET, event = "logout", tenant, subject, by, extent, "signed out");
}

/// Tokens were issued. `jti` is that of the access token.
pub fn token_issued(tenant: &str, client: &str, subject: &str, jti: &str) {
    tracing::info!(target: TARGET, event = "token_issued", tenant, client, subject, jti, "token issued");
}

/// A token was revoked, with everything that belongs to it.
pub fn token_revoked(tenant: &str, client: &str, subject: &str, reason: &str) {
    tracing::info!(target: TARGET, event = "token_revoked", tenant, client, subject, reason, "token revoked");
}

/// A client is unknown, or could not authenticate. Its name is a stranger's text.
pub fn client_refused(tenant: &str, client: &str, reason: &str) {
    let client = typed(client);
    tracing::warn!(target: TARGET, event = "client_refused", tenant, client, reason, "client refused");
}

/// Another key will sign for a tenant. `reason`: it was due, an operator asked for it, or the algorithm changed.
pub fn key_rotated(tenant: &str, kid: &str, reason: &str) {
    tracing::info!(target: TARGET, event = "key_rotated", tenant, kid, reason, "signing key replaced");
}

/// A stranger's text, safe for a log: no line breaks, no control characters, cut short.
pub fn typed(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST_NAME).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST_NAME).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::typed;

    #[test]
    fn what_a_stranger_typed_stays_on_its_line() {
        assert_eq!(typed("ada"), "ada");
        assert_eq!(typed("a\nevent=login\u{1b}[2J"), "a\\nevent=login\\u{1b}[2J");
        assert_eq!(typed(&"x".repeat(5000)).len(), 67);
    }
}
