//! One file per grant, as in `src/grant`.

mod authorization_code;
mod client_credentials;
mod password;
mod refresh_token;
