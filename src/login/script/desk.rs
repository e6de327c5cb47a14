//! What the pool sees of a thread: whose script it runs, since when, and whether it was replaced.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::run::Run;

/// One thread's place in the pool, as the others see it.
#[derive(Default)]
pub(super) struct Desk {
    turn: Mutex<Option<Turn>>,
    retired: AtomicBool,
}

/// A stretch of JavaScript that keeps a thread.
#[derive(Clone)]
pub(super) struct Turn {
    pub(super) tenant: Arc<str>,
    pub(super) began: Instant,
}

impl Desk {
    /// Runs one turn of a script, and shows the pool meanwhile whose it is.
    pub(super) fn turn<T>(&self, run: &Run, work: impl FnOnce() -> T) -> T {
        run.turn_begins();
        let turn = Turn { tenant: Arc::clone(&run.tenant), began: Instant::now() };
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
        let _ends = TurnEnds(self);
        work()
    }

    /// The turn that the thread is in.
    pub(super) fn current(&self) -> Option<Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The thread was replaced: it finishes its runs and takes no more.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}

/// The turn is over, also when it ends in a panic.
struct TurnEnds<'d>(&'d Desk);

impl Drop for TurnEnds<'_> {
    fn drop(&mut self) {
        *self.0.turn.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
