//! The tests of the server from within: one binary, and this list says where a new test belongs.

mod harness;
mod key;
mod login_script;
mod pages;
mod registry;
mod settings;
mod store;
