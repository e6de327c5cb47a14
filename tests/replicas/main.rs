//! Several real processes of the real program on one real Redis: `cargo test --test replicas`.
//!
//! Each proof has a short form, and a long one with `FULL=1`; each prints what it counted (`-- --nocapture`).
//! `install.sh` beside this file installs what the tests need beyond Rust.

mod alerts;
mod algorithms;
mod bad_rows;
mod bad_settings;
mod commands;
#[path = "../interop/configuration.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients, which use the rest")]
mod configuration;
mod counts;
mod failover;
mod file;
mod frozen;
mod held;
mod journeys;
mod killed;
#[path = "../interop/person.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients, which use the rest")]
mod person;
#[path = "../it/harness/port.rs"]
mod port;
#[path = "../it/harness/redis.rs"]
#[expect(dead_code, reason = "shared with the tests from within, which use the rest")]
mod redis;
mod refresh;
mod replica;
mod rolling;
#[path = "../interop/server.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients; here replicas are started by `world`")]
mod server;
mod sign_in;
mod store_lost;
mod together;
mod traffic;
mod verifier;
#[expect(dead_code, reason = "shared with tests/upgrade and tests/siege, which use the rest")]
mod world;
