//! Who is signed in: the records of a session and of what belongs to it. Knows no way to sign in.

pub mod consent;
pub mod delivery;
pub mod identity;
pub mod interaction;
pub mod participant;
pub mod record;

pub use identity::Identity;
pub use record::Session;
