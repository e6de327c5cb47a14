//! Who is signed in: the records of a session and of what belongs to it. Independent of how people sign in.

pub mod authentication;
pub mod consent;
pub mod crowd;
pub mod delivery;
pub mod identity;
pub mod interaction;
pub mod long_step;
pub mod participant;
pub mod proven;
pub mod record;
pub mod signed_in;
pub mod step;

pub use authentication::Authentication;
pub use identity::Identity;
pub use record::Session;
pub use signed_in::{Person, SignedIn};
