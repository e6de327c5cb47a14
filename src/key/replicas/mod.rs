//! How replicas know of each other, and of what the others changed.

pub mod heartbeat;
pub mod news;
