//! The one error: RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1, RFC 8628 §3.5, OIDC Core §3.1.2.6.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// What the specifications call `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// RFC 6749 §4.1.2.1: the resource owner or the server denied the request.
    AccessDenied,
    /// RFC 8628 §3.5: the person has not decided yet.
    AuthorizationPending,
    /// OIDC Core §3.1.2.6: consent is needed and no page may be shown.
    ConsentRequired,
    /// RFC 8628 §3.5: the device code has expired.
    ExpiredToken,
    /// RFC 6750 §3.1: the token lacks the scope.
    InsufficientScope,
    /// RFC 6749 §5.2: the client could not be authenticated.
    InvalidClient,
    /// RFC 6749 §5.2: the code or token is unknown, used, expired or another client's.
    InvalidGrant,
    /// RFC 6749 §5.2: a parameter is missing, repeated or malformed.
    InvalidRequest,
    /// RFC 6749 §5.2: none of the scope may be granted.
    InvalidScope,
    /// RFC 8707 §2: the resource is unknown.
    InvalidTarget,
    /// RFC 6750 §3.1: the access token is not valid.
    InvalidToken,
    /// OIDC Core §3.1.2.6: nobody is signed in and no page may be shown.
    LoginRequired,
    /// OIDC Core §3.1.2.6: request objects are not supported.
    RequestNotSupported,
    /// OIDC Core §3.1.2.6: `request_uri` is not supported.
    RequestUriNotSupported,
    /// RFC 6749 §4.1.2.1: an internal error.
    ServerError,
    /// RFC 8628 §3.5: the device polls too often.
    SlowDown,
    /// RFC 6749 §4.1.2.1: try again later.
    TemporarilyUnavailable,
    /// OpenID Connect Core Error Code unmet_authentication_requirements §3: nobody can authenticate as the client
    /// requires.
    UnmetAuthenticationRequirements,
    /// RFC 6749 §5.2: the client may not use this grant.
    UnauthorizedClient,
    /// RFC 6749 §5.2: an unsupported grant.
    UnsupportedGrantType,
    /// RFC 6749 §4.1.2.1: an unsupported response type.
    UnsupportedResponseType,
}

impl ErrorCode {
    /// The value of `error` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::ConsentRequired => "consent_required",
            Self::ExpiredToken => "expired_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::LoginRequired => "login_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    /// The HTTP status of a response that carries this code as JSON or as a page (never as a redirect).
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// An error of the protocol: code and description are for the client, the cause is for the operator.
///
/// It deliberately does not implement [`std::error::Error`], so that every other error can become a `server_error`
/// through `?`. Input that a client can get wrong must therefore be parsed where the error is named.
#[derive(Debug)]
pub struct OAuthError {
    /// For the client's program.
    pub code: ErrorCode,
    /// For the client's developer; printable ASCII without quotes and backslashes (RFC 6749 §5.2).
    pub description: Cow<'static, str>,
    /// For the operator, in the log.
    pub cause: Option<anyhow::Error>,
    /// When to try again (RFC 9110 §10.2.3).
    pub retry_after: Option<Duration>,
}

/// The result of every rule.
pub type Result<T, E = OAuthError> = std::result::Result<T, E>;

/// A dependency of the server, typically the store, is unavailable for a moment.
///
/// Attach it as context to an error; [`OAuthError`] then answers `temporarily_unavailable` instead of `server_error`.
#[derive(Clone, Copy, Debug)]
pub struct Unavailable(pub &'static str);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is unavailable", self.0)
    }
}

impl std::error::Error for Unavailable {}

impl<E: Into<anyhow::Error>> From<E> for OAuthError {
    fn from(error: E) -> Self {
        let cause = error.into();
        let (code, description) = match cause.downcast_ref::<Unavailable>() {
            Some(Unavailable(what)) => {
                (ErrorCode::TemporarilyUnavailable, format!("{what} cannot be reached, try again later").into())
            }
            None => (ErrorCode::ServerError, Cow::Borrowed("internal error")),
        };
        let retry_after = (code == ErrorCode::TemporarilyUnavailable).then_some(Duration::from_secs(2));
        Self { code, description, cause: Some(cause), retry_after }
    }
}

/// Constructors for the common codes, each named as its code is on the wire.
macro_rules! constructors {
    ($($name:ident => $code:ident;)*) => {$(
        #[doc = concat!("`", stringify!($name), "`")]
        pub fn $name(description: impl Into<Cow<'static, str>>) -> Self {
            Self::new(ErrorCode::$code, description)
        }
    )*};
}

impl OAuthError {
    /// An error with `code`; characters that RFC 6749 §5.2 forbids in a description become `?` or `'`.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: printable(description.into()), cause: None, retry_after: None }
    }

    /// Whether the client was refused: not for now, and not because of us.
    pub fn is_refusal(&self) -> bool {
        let is_patience = matches!(self.code, ErrorCode::AuthorizationPending | ErrorCode::SlowDown);
        !is_patience && !self.code.status().is_server_error()
    }

    /// The HTTP status of this error as JSON or as a page: of its code, or 429 for a client that has to wait (RFC 6585 §4).
    pub fn status(&self) -> StatusCode {
        match (self.code, self.retry_after) {
            (ErrorCode::InvalidClient, Some(_)) => StatusCode::TOO_MANY_REQUESTS,
            (code, _) => code.status(),
        }
    }

    /// Adds the cause, which only the operator sees.
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds when to try again.
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    constructors! {
        access_denied => AccessDenied;
        invalid_client => InvalidClient;
        invalid_grant => InvalidGrant;
        invalid_request => InvalidRequest;
        invalid_scope => InvalidScope;
        invalid_token => InvalidToken;
        login_required => LoginRequired;
        unauthorized_client => UnauthorizedClient;
    }
}

fn printable(description: Cow<'static, str>) -> Cow<'static, str> {
    let forbidden = |c: char| !(' '..='~').contains(&c) || c == '"' || c == '\\';
    if !description.contains(forbidden) {
        return description;
    }
    let replace = |c| match c {
        '"' => '\'',
        c if forbidden(c) => '?',
        c => c,
    };
    Cow::Owned(description.chars().map(replace).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_never_carries_what_the_rfc_forbids() {
        let error = OAuthError::invalid_request("say \"héllo\"\\\n");
        assert_eq!(error.description, "say 'h?llo'??");
    }

    #[test]
    fn an_unavailable_store_is_not_an_internal_error() {
        let error = OAuthError::from(anyhow::anyhow!("connection refused").context(Unavailable("the store")));
        assert_eq!(error.code, ErrorCode::TemporarilyUnavailable);
        assert_eq!(OAuthError::from(anyhow::anyhow!("boom")).code, ErrorCode::ServerError);
    }
}
