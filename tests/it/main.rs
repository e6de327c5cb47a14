//! The tests of the server, in one binary; each module says what it tests.

#[cfg(test)]
mod registry;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod settings;
