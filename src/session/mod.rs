//! Who is signed in: the records of a session and of what belongs to it. Independent of how people sign in.

pub mod authentication;
pub mod consent;
pub mod delivery;
pub mod identity;
pub mod interaction;
pub mod participant;
pub mod record;
pub mod signed_in;

pub use authentication::Authentication;
pub use identity::Identity;
pub use record::Session;
pub use signed_in::{Person, SignedIn};
