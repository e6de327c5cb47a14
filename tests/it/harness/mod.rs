//! What the tests stand on.

pub mod fakes;
pub mod redis;
