//! Real clients against the real binary on a real port: `cargo test --test interop`.
//!
//! `README.md` beside this file says which clients, and how to get them onto a machine.

mod browser;
mod configuration;
mod openid_client;
mod pages;
mod person;
mod proxies;
mod resource_servers;
mod server;
mod single_sign_on;
mod spa;
mod tool;
