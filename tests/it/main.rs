//! The tests of the server from within: one binary, and this list says where a new test belongs.

mod harness;
mod store;
//! The server from outside, one module per part.

mod pages;
//! One binary of tests; the list of its modules.

mod key;
//! The tests of the server, in one binary; each module says what it tests.

mod registry;
