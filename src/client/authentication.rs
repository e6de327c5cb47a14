//! How a client authenticates: RFC 6749 §2.3, RFC 7523 §2.2, OIDC Core §9.

use std::sync::Arc;

use super::assertion;
use crate::audit;
use crate::issuer::Issuer;
use crate::login::client_secret::Verdict;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::registry::client::{AuthMethod, Client};

const TOO_MANY: &str = "too many wrong secrets of this client from this address, try again later";

/// What a client presented.
pub struct Presented {
    /// The `client_id`, unverified.
    pub client_id: String,
    /// The proof.
    pub proof: Proof,
}

/// The proof that a client presented.
pub enum Proof {
    /// None: a public client.
    Nothing,
    /// A secret, and the method that carried it.
    Secret(String, AuthMethod),
    /// A signed JWT (RFC 7523 §2.2).
    Assertion(String),
}

/// The client that a request is from: authenticated, or public and identified.
///
/// Errors: `invalid_client`, with a time to wait if too many wrong secrets came from there.
pub async fn authenticate(issuer: &Issuer, presented: Presented) -> Result<Arc<Client>> {
    let Presented { client_id, proof } = presented;
    let client = issuer.client(&client_id).await?;
    let proven = match client.clone() {
        Some(client) => prove(issuer, client, proof).await,
        None => Err(OAuthError::invalid_client("client_id is not known here")),
    };
    proven.inspect_err(|error| {
        if error.code == ErrorCode::InvalidClient {
            audit::client_refused(&issuer.tenant.name, &client_id, &error.description);
            if let Some(client) = &client {
                issuer.services.metrics.denied.add(&issuer.tenant.name, &client.ident);
            }
        }
    })
}

async fn prove(issuer: &Issuer, client: Arc<Client>, proof: Proof) -> Result<Arc<Client>> {
    tracing::Span::current().record("client", &*client.ident);
    let refused = || OAuthError::invalid_client("client authentication failed");
    let other_method = || OAuthError::invalid_client("the client must use its registered authentication method");
    match (client.auth_method, proof) {
        (AuthMethod::None, Proof::Nothing) => Ok(client),
        (AuthMethod::PrivateKeyJwt, Proof::Assertion(jwt)) => {
            assertion::verify(issuer, &client, &jwt).await?;
            Ok(client)
        }
        // A public client has no secret to compare, and accepting any would only hide the mistake.
        (AuthMethod::None, _) | (_, Proof::Nothing) => Err(refused()),
        (registered, Proof::Secret(presented, used)) if registered.accepts(used) => {
            let (checker, policy) = (&issuer.services.client_secrets, issuer.services.throttle);
            match checker.check(issuer.ledger(), policy, &client, presented, issuer.caller).await? {
                Verdict::Right => Ok(client),
                Verdict::Wrong => Err(refused()),
                Verdict::Wait(wait) => Err(OAuthError::invalid_client(TOO_MANY).after(wait)),
            }
        }
        (_, Proof::Secret(..) | Proof::Assertion(_)) => Err(other_method()),
    }
}
