//! What the tests stand on.

pub(crate) mod fakes;
pub(crate) mod lossy_proxy;
pub(crate) mod redis;
