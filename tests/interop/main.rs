//! Real clients against the real binary on a real port: `cargo test --test interop`.
//!
//! `README.md` beside this file lists the clients, and how to install them.

mod application;
mod browser;
mod bucket;
mod calendar;
#[path = "../it/harness/collector.rs"]
#[expect(dead_code, reason = "shared with the tests from within, which use the rest")]
mod collector;
mod configuration;
mod contract;
mod desk;
mod errand;
mod hangup;
mod installation;
mod moved_on;
mod oauth2_proxy;
mod openid_client;
mod pages;
mod person;
#[path = "../it/harness/port.rs"]
mod port;
mod proxies;
mod relying_parties;
mod resource_servers;
mod rotation;
mod server;
mod silent_renew;
mod single_sign_on;
mod spa;
mod tally;
mod telemetry;
mod token;
mod tool;
mod verifier;
