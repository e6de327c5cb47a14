//! The real program beside a real Kubernetes API server: `cargo test --test cluster`.
//!
//! `install.sh` beside this file installs what the tests need beyond Rust.

mod api_server;
mod chart;
#[path = "../interop/configuration.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients, which use the rest")]
mod configuration;
#[path = "../it/harness/port.rs"]
mod port;
#[path = "../it/harness/redis.rs"]
#[expect(dead_code, reason = "shared with the tests from within; here it makes certificates")]
mod redis;
#[path = "../replicas/replica.rs"]
#[expect(dead_code, reason = "shared with the tests of replicas, which use the rest")]
mod replica;
mod resources;
#[path = "../interop/server.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients; here the program is started by `resources`")]
mod server;
mod stories;
