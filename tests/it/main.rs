//! The tests of the server from within: one binary, and this list says where a new test belongs.
//!
//! `cfg(test)` tells clippy that helpers, too, are test code and may unwrap.

#[cfg(test)]
mod harness;
#[cfg(test)]
mod store;
