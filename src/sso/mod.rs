//! Single sign-on: how a session begins, how long it may stay, and how it ends for everyone who took part.

pub mod administration;
pub mod begin;
mod crowd;
pub mod sign_in;
pub mod sign_out;
pub mod stay;
