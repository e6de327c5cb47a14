//! One file per endpoint, as in `src/endpoint`.

mod activate;
mod authorize;
mod client_assertion;
mod discovery;
mod health;
mod login;
mod logout;
mod revoke;
mod token;
mod userinfo;
