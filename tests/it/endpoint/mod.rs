//! One file per endpoint, as in `src/endpoint`.

mod activate;
mod authorize;
mod discovery;
mod errors;
mod forwarded;
mod health;
mod index;
mod interceptor;
mod isolation;
mod login;
mod logout;
mod openapi;
mod original_url;
mod promises;
mod revoke;
mod session_cookie;
mod stale_jwks;
mod steps;
mod token;
mod userinfo;
mod wishes;
