//! The real program beside a real Kubernetes API server: `cargo test --test cluster`.
//!
//! `install.sh` beside this file gets what the tests need beyond Rust.

mod api_server;
mod chart;
#[path = "../it/harness/redis.rs"]
#[expect(dead_code, reason = "shared with the tests from within; here it makes certificates and waits")]
mod redis;
