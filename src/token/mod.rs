//! What leaves the server: every grant ends in an [`Authorization`], and [`issue`](issue::issue) turns it into tokens.

pub mod access_token;
pub mod authorization;
pub mod claims;
pub mod grant_record;
pub mod id_token;
pub mod issue;
pub mod logout_token;
pub mod pass;
pub mod refresh_token;

pub use authorization::{Authorization, Holder, PersonalAuthorization};
pub use grant_record::Grant;
