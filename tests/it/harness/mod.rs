//! What the tests stand on.

pub(crate) mod fakes;
pub(crate) mod redis;
