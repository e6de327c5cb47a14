//! The settings: defaults, then a file, then the environment, then flags; read once.

mod advice;
mod changes;
mod defaults;
mod environment;
mod load;
mod parts;
pub mod report;
mod resolve;
mod resolved;
mod written;

pub use environment::variables;
pub use load::Flags;
pub use resolved::{Connections, Settings, Store, Tls, Webhook};
pub use written::{
    ClaimConflicts, Environment, KeyScope, Kubernetes, Log, LogFormat, LogLevel, LoggedAs, Redis, Sentinel, Written,
};
