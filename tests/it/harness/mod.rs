//! The test harness: a whole server without a socket, and its clients.

pub(crate) mod api_server;
pub(crate) mod application;
pub(crate) mod browser;
pub(crate) mod client_key;
#[expect(dead_code, reason = "shared with the tests of real clients, which use the rest")]
pub(crate) mod collector;
pub(crate) mod fakes;
pub(crate) mod fixtures;
pub(crate) mod lines;
pub(crate) mod lossy_proxy;
pub(crate) mod port;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod relying_party;
pub(crate) mod response;
pub(crate) mod server;
pub(crate) mod watched;

pub(crate) use application::Application;
pub(crate) use browser::Browser;
pub(crate) use client_key::ClientKey;
pub(crate) use proxy::Proxy;
pub(crate) use relying_party::RelyingParty;
pub(crate) use response::Answer;
pub(crate) use server::TestServer;
