//! One file per endpoint, as in `src/endpoint`.

mod activate;
mod authorize;
mod backchannel_logout;
mod client_assertion;
mod discovery;
mod errors;
mod health;
mod index;
mod interceptor;
mod isolation;
mod login;
mod logout;
mod openapi;
mod promises;
mod revoke;
mod revoked_key;
mod stale_jwks;
mod throttle;
mod token;
mod userinfo;
mod wishes;
