//! The tests of the server, in one binary; each module says what it tests.

mod registry;
mod reload;
mod settings;
