//! The tests of the server from within: one binary, and this list says where a new test belongs.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod client;
#[cfg(test)]
mod command;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod endpoint;
#[cfg(test)]
mod example_backend;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod grant;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod key;
#[cfg(test)]
mod known_conflicts;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod login_script;
#[cfg(test)]
mod outgoing;
#[cfg(test)]
mod page;
#[cfg(test)]
mod password;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod secrets_in_logs;
#[cfg(test)]
mod server;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod sso;
#[cfg(test)]
mod store;
#[cfg(test)]
mod telemetry;
