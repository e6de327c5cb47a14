//! What replicas know of each other: which of them live, how far each one is, and whose keys changed.

pub mod heartbeat;
pub mod news;
pub mod presence;
pub mod progress;
