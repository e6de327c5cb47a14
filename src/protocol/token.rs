//! The token endpoint's words: RFC 6749 §4 to §6, RFC 7009 §2.1, RFC 8628 §3.4, RFC 8693 §2.

use serde::Serialize;
use zeroize::Zeroizing;

use super::authorization::resources;
use super::error::{ErrorCode, OAuthError, Result};
use super::parameters::Parameters;
use super::scope::Scope;
use super::token_exchange::TokenExchange;

/// What a client may turn into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §4.3.
    Password,
    /// RFC 8628 §3.4.
    DeviceCode,
    /// RFC 8693 §2.1.
    TokenExchange,
}

impl GrantType {
    /// Every grant type of the protocol.
    pub const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::Password,
        Self::DeviceCode,
        Self::TokenExchange,
    ];

    /// The value of `grant_type` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// Reads `grant_type`; the device grant also under the short name that older clients use.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "device_code" => Some(Self::DeviceCode),
            name => Self::ALL.into_iter().find(|grant| grant.as_str() == name),
        }
    }
}

/// A request to `/token`.
#[derive(Debug)]
pub struct TokenRequest {
    /// The grant to redeem.
    pub grant: GrantRequest,
    /// Where the access token will be used: RFC 8707 §2.2.
    pub resource: Vec<String>,
}

/// What a client presents at `/token`, one variant per grant.
#[derive(Debug)]
pub enum GrantRequest {
    /// RFC 6749 §4.1.3, RFC 7636 §4.5.
    AuthorizationCode {
        /// The code.
        code: String,
        /// Must equal that of the authorization request.
        redirect_uri: Option<String>,
        /// The proof for the code challenge.
        code_verifier: Option<String>,
    },
    /// RFC 6749 §6.
    RefreshToken {
        /// The refresh token.
        refresh_token: String,
        /// A narrower scope.
        scope: Option<Scope>,
    },
    /// RFC 6749 §4.4.2.
    ClientCredentials {
        /// The requested scope.
        scope: Option<Scope>,
    },
    /// RFC 6749 §4.3.2.
    Password {
        /// The person's name.
        username: String,
        /// The person's password.
        password: Zeroizing<String>,
        /// The requested scope.
        scope: Option<Scope>,
    },
    /// RFC 8628 §3.4.
    DeviceCode {
        /// The device code.
        device_code: String,
    },
    /// RFC 8693 §2.1.
    TokenExchange(TokenExchange),
}

impl TokenRequest {
    /// Reads the parameters of a token request.
    ///
    /// Errors: `invalid_request` for missing or malformed parameters, `unsupported_grant_type`, `invalid_scope`,
    /// `invalid_target`.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self> {
        parameters.refuse_duplicates()?;
        Ok(Self { grant: GrantRequest::from_parameters(parameters)?, resource: resources(parameters)? })
    }
}

impl GrantRequest {
    fn from_parameters(parameters: &Parameters) -> Result<Self> {
        let name = parameters.required("grant_type")?;
        let scope = parameters.one("scope")?.map(Scope::parse).transpose()?;
        match GrantType::parse(name) {
            Some(GrantType::AuthorizationCode) => Ok(Self::AuthorizationCode {
                code: parameters.required("code")?.to_owned(),
                redirect_uri: parameters.owned("redirect_uri")?,
                code_verifier: parameters.owned("code_verifier")?,
            }),
            Some(GrantType::RefreshToken) => {
                Ok(Self::RefreshToken { refresh_token: parameters.required("refresh_token")?.to_owned(), scope })
            }
            Some(GrantType::ClientCredentials) => Ok(Self::ClientCredentials { scope }),
            Some(GrantType::Password) => Ok(Self::Password {
                username: parameters.required("username")?.to_owned(),
                password: parameters
                    .text("password")?
                    .map(|password| Zeroizing::new(password.to_owned()))
                    .ok_or_else(|| OAuthError::invalid_request("password is missing"))?,
                scope,
            }),
            Some(GrantType::DeviceCode) => {
                Ok(Self::DeviceCode { device_code: parameters.required("device_code")?.to_owned() })
            }
            Some(GrantType::TokenExchange) => Ok(Self::TokenExchange(TokenExchange::from_parameters(parameters)?)),
            None => Err(OAuthError::new(ErrorCode::UnsupportedGrantType, "grant_type is not supported")),
        }
    }

    /// Its grant type.
    pub fn grant_type(&self) -> GrantType {
        match self {
            Self::AuthorizationCode { .. } => GrantType::AuthorizationCode,
            Self::RefreshToken { .. } => GrantType::RefreshToken,
            Self::ClientCredentials { .. } => GrantType::ClientCredentials,
            Self::Password { .. } => GrantType::Password,
            Self::DeviceCode { .. } => GrantType::DeviceCode,
            Self::TokenExchange(_) => GrantType::TokenExchange,
        }
    }
}

/// The successful answer of the token endpoint: RFC 6749 §5.1, OIDC Core §3.1.3.3.
#[derive(Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// RFC 8693 §2.2.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// The lifetime of the access token in seconds.
    pub expires_in: u64,
    /// The granted scope.
    #[serde(skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    /// If the grant allows refreshing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// If `openid` was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}
