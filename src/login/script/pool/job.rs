//! What a run gives to the process that it is in, and what it hears from there.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot};
use zeroize::Zeroizing;

use crate::login::script::error::ScriptError;
use crate::login::script::wire::{Allowance, Over, Word};

/// A process, as runs and the floor know it.
#[derive(Clone)]
pub(super) struct Process {
    /// What it has to do.
    pub(super) jobs: mpsc::UnboundedSender<Job>,
    /// Ends it.
    pub(super) stop: Arc<Notify>,
}

/// Something for a process to do.
pub(super) enum Job {
    /// One turn of a run.
    Turn(Turn),
    /// Nobody waits for this run any more.
    Forget(u64),
}

/// One turn of a run.
pub(super) struct Turn {
    /// The order as it is sent. It may hold a password.
    pub(super) order: Zeroizing<Vec<u8>>,
    pub(super) time: Allowance,
    /// Whether it must not get in the way of others.
    pub(super) is_heavy: bool,
    pub(super) heard: mpsc::Sender<Event>,
}

/// What a run hears.
pub(super) enum Event {
    /// A word in the middle of the turn.
    Said(Word),
    /// So many bytes are needed; the answer says whether they are there.
    Need(u64, oneshot::Sender<bool>),
    /// The turn is over.
    Over(Over),
    /// The process had to be ended, or ended by itself.
    Lost(ScriptError),
}
