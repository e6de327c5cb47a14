//! The words of token exchange: RFC 8693 §2.1 and §3.

use super::error::{ErrorCode, OAuthError, Result};
use super::parameters::Parameters;
use super::scope::Scope;

/// §3: the token types that this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token of this server; those are JWTs, so `...:jwt` means the same.
    Access,
    /// An ID token of this server.
    Id,
}

/// The value of `issued_token_type`: §2.2.1.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

impl TokenKind {
    fn parse(name: &str) -> Option<Self> {
        match name {
            ACCESS_TOKEN | JWT => Some(Self::Access),
            ID_TOKEN => Some(Self::Id),
            _ => None,
        }
    }
}

/// The most audiences of one token, and the most resources.
const MAX_AUDIENCES: usize = 16;

fn audiences(parameters: &Parameters) -> Result<Vec<String>> {
    let audiences = parameters.all("audience")?;
    if audiences.len() > MAX_AUDIENCES {
        return Err(OAuthError::new(ErrorCode::InvalidTarget, "more than 16 audiences in one request"));
    }
    Ok(audiences.to_vec())
}

/// A request to exchange a token: §2.1.
#[derive(Debug)]
pub struct TokenExchange {
    /// The token of the person on whose behalf the client asks.
    pub subject_token: String,
    /// Its type.
    pub subject_kind: TokenKind,
    /// An access token of the actor. Without it the new token names no actor.
    pub actor_token: Option<String>,
    /// Names of the services that will receive the new token; `resource` has their addresses.
    pub audience: Vec<String>,
    /// The requested scope.
    pub scope: Option<Scope>,
}

impl TokenExchange {
    /// Reads the parameters of §2.1.
    ///
    /// Errors: `invalid_request`, also for token types that are not exchanged here.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self> {
        let subject_kind = TokenKind::parse(parameters.required("subject_token_type")?)
            .ok_or_else(|| OAuthError::invalid_request("subject_token_type must be that of an access or ID token"))?;
        let wanted = parameters.one("requested_token_type")?.map(TokenKind::parse);
        if !matches!(wanted, None | Some(Some(TokenKind::Access))) {
            return Err(OAuthError::invalid_request("requested_token_type must be that of an access token"));
        }
        let actor_token = parameters.owned("actor_token")?;
        let actor_kind = parameters.one("actor_token_type")?;
        match (&actor_token, actor_kind.map(TokenKind::parse)) {
            (None, None) | (Some(_), Some(Some(TokenKind::Access))) => {}
            (None, Some(_)) => return Err(OAuthError::invalid_request("actor_token is missing")),
            (Some(_), None) => return Err(OAuthError::invalid_request("actor_token_type is missing")),
            (Some(_), Some(_)) => {
                return Err(OAuthError::invalid_request("actor_token_type must be that of an access token"));
            }
        }
        Ok(Self {
            subject_token: parameters.required("subject_token")?.to_owned(),
            subject_kind,
            actor_token,
            audience: audiences(parameters)?,
            scope: parameters.one("scope")?.map(Scope::parse).transpose()?,
        })
    }
}
