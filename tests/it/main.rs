//! The tests of the server from within: one binary, and this list says where a new test belongs.

mod harness;
mod key;
mod pages;
mod registry;
mod store;
