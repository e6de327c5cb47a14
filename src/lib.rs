//! uitsmijter: an authorization server for OAuth 2.0 and OpenID Connect.
//!
//! The tree reads like the specifications: [`protocol`] has the words, [`grant`] the ways to an authorization,
//! [`token`] what leaves the server, [`endpoint`] the URLs. `docs/architecture.md` shows the floors.
//!
//! # Where each specification lives
//!
//! | specification | words | rule | URL |
//! | --- | --- | --- | --- |
//! | RFC 6749 §2.3 client authentication | | `client/authentication.rs` | `web/client_authentication.rs` |
//! | RFC 6749 §3.1 authorization endpoint, §3.1.2 redirect URIs | `protocol/authorization.rs`, `protocol/redirect_uri.rs` | `registry/client.rs` | `endpoint/authorize.rs` |
//! | RFC 6749 §3.3 scope | `protocol/scope.rs` | `grant/permission.rs` | |
//! | RFC 6749 §4.1 code | `protocol/authorization.rs`, `protocol/token.rs` | `grant/authorization_code.rs` | `endpoint/authorize.rs`, `endpoint/token.rs` |
//! | RFC 6749 §4.3 password, §4.4 client credentials | `protocol/token.rs` | `grant/password.rs`, `grant/client_credentials.rs` | `endpoint/token.rs` |
//! | RFC 6749 §6 refresh, RFC 9700 §4.14.2 reuse | `protocol/token.rs` | `grant/refresh_token.rs`, `token/refresh_token.rs` | `endpoint/token.rs` |
//! | RFC 6749 §4.1.2.1, §5.2 errors | `protocol/error.rs` | | `web/error.rs`, `web/callback.rs` |
//! | RFC 6749 Appendix B parameters | `protocol/parameters.rs` | | `web/form.rs` |
//! | RFC 6750 bearer tokens | `protocol/error.rs` | `token/access_token.rs` | `web/bearer.rs` |
//! | RFC 7009 revocation | `protocol/token.rs` | `token/refresh_token.rs`, `token/access_token.rs` | `endpoint/revoke.rs` |
//! | RFC 7515, 7517, 7518, 7519, 7638, 8037 JOSE | `protocol/jwk.rs`, `protocol/audience.rs` | `key/signer.rs`, `key/verify.rs`, `key/snapshot.rs` | `endpoint/jwks.rs` |
//! | RFC 7521, 7523, OIDC Core §9 `private_key_jwt` | `protocol/client_keys.rs` | `client/assertion.rs`, `outgoing/client_keys.rs` | `web/client_authentication.rs` |
//! | RFC 7636 PKCE | `protocol/pkce.rs` | `grant/authorization_code.rs` | |
//! | RFC 7662 introspection | | `token/access_token.rs`, `token/refresh_token.rs` | `endpoint/introspect.rs` |
//! | RFC 8252 §7.3 loopback redirects | `protocol/redirect_uri.rs` | | |
//! | RFC 8414, OIDC Discovery | `protocol/metadata.rs` | | `endpoint/discovery.rs` |
//! | RFC 8628 device grant | `protocol/token.rs`, `protocol/error.rs` | `grant/device_code.rs`, `grant/user_code.rs` | `endpoint/device_authorization.rs`, `endpoint/activate.rs` |
//! | RFC 8693 token exchange | `protocol/token_exchange.rs`, `protocol/token.rs` | `grant/token_exchange.rs`, `token/access_token.rs` | |
//! | RFC 8707 resource indicators | `protocol/parameters.rs`, `protocol/authorization.rs`, `protocol/token.rs` | `grant/permission.rs`, `registry/client.rs` | |
//! | RFC 8725 how to verify a JWT | | `key/verify.rs` | |
//! | RFC 9068 access token | | `token/access_token.rs` | |
//! | RFC 9207 `iss` | | | `web/callback.rs` |
//! | OIDC Core §2 ID token | | `token/id_token.rs` | |
//! | OIDC Core §5.1, §5.4, §5.5 claims, §5.3 userinfo | `protocol/authorization.rs` | `token/claims.rs` | `endpoint/userinfo.rs` |
//! | OAuth 2.0 Form Post Response Mode | `protocol/authorization.rs` | | `web/callback.rs` |
//! | OIDC RP-Initiated Logout | | `session/record.rs` | `endpoint/logout.rs` |
//! | OIDC Back-Channel Logout | | `sso/sign_out.rs`, `token/logout_token.rs` | `endpoint/logout.rs` |
//! | forward authentication, by proxies | | `token/pass.rs` | `endpoint/interceptor.rs` |

pub mod app;
pub mod audit;
pub mod client;
pub mod clock;
pub mod document;
pub mod endpoint;
pub mod grant;
pub mod issuer;
pub mod key;
pub mod log;
pub mod logged_name;
pub mod login;
pub mod metrics;
pub mod origin;
pub mod outgoing;
pub mod page;
pub mod protocol;
pub mod random;
pub mod recent;
pub mod registry;
pub mod sealing;
pub mod secret;
pub mod server;
pub mod session;
pub mod settings;
pub mod sso;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod turned_away;
pub mod undeclared_proxies;
pub mod web;
