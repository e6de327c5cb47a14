//! What replicas know of each other: which of them live, how far each one is, which newer forms they understand, and
//! whose keys changed.

pub mod capability;
pub mod heartbeat;
pub mod news;
pub mod presence;
pub mod progress;
