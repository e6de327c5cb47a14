//! Strangers flood a real process, on each store, while people and services go on: `cargo test --test siege`.
//!
//! Each siege has a short form, and a long one with `FULL=1`; each prints what it measured (`-- --nocapture`). The
//! strangers come from addresses of the loopback network, all of which belong to this machine.

#[path = "../interop/configuration.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients, which use the rest")]
mod configuration;
mod figures;
mod flood;
#[path = "../replicas/journeys.rs"]
#[expect(dead_code, reason = "shared with the tests of replicas, which use the rest")]
mod journeys;
mod others;
#[path = "../interop/person.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients, which use the rest")]
mod person;
#[path = "../it/harness/port.rs"]
mod port;
#[path = "../it/harness/redis.rs"]
#[expect(dead_code, reason = "shared with the tests from within, which use the rest")]
mod redis;
#[path = "../replicas/replica.rs"]
#[expect(dead_code, reason = "shared with the tests of replicas, which use the rest")]
mod replica;
#[path = "../interop/server.rs"]
#[expect(dead_code, reason = "shared with the tests of real clients; here replicas are started by `world`")]
mod server;
#[path = "../replicas/sign_in.rs"]
#[expect(dead_code, reason = "shared with the tests of replicas, which use the rest")]
mod sign_in;
mod silence;
mod stores;
#[path = "../replicas/world.rs"]
#[expect(dead_code, reason = "shared with the tests of replicas, which use the rest")]
mod world;

/// Whether the long form was asked for.
fn in_full() -> bool {
    std::env::var_os("FULL").is_some()
}
