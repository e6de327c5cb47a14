//! The threads that run scripts. Many runs share one while they wait; one that is stuck in a script is replaced.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use super::engine;
use super::error::ScriptError;
use super::pool::{Job, Shared};
use super::run::Run;

/// One thread's place in the pool: what the others can see of it.
#[derive(Default)]
pub(super) struct Desk {
    turn: Mutex<Option<Turn>>,
    retired: AtomicBool,
}

/// The turn is over, also when it ends in a panic.
struct TurnEnds<'d>(&'d Desk);

impl Drop for TurnEnds<'_> {
    fn drop(&mut self) {
        *self.0.turn.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A stretch of JavaScript that keeps a thread.
#[derive(Clone)]
pub(super) struct Turn {
    pub(super) tenant: Arc<str>,
    pub(super) began: Instant,
}

impl Desk {
    /// Runs one turn of a script and shows meanwhile to the pool whose it is.
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

    /// A replacement was hired: finish what is begun, take nothing new, leave.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}

/// Starts the thread at `desk`.
pub(super) fn start(shared: Arc<Shared>, desk: Arc<Desk>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let work = move || {
        LocalSet::new().block_on(&runtime, serve(&shared, &desk));
        shared.leave(&desk);
    };
    std::thread::Builder::new().name("login-script".to_owned()).spawn(work).map(drop)
}

async fn serve(shared: &Arc<Shared>, desk: &Arc<Desk>) {
    let mut runs = JoinSet::new();
    while !desk.is_retired() && !shared.is_closed() {
        // Listen first, look then: a job that comes in between wakes this thread.
        let call = shared.bell.notified();
        tokio::pin!(call);
        call.as_mut().enable();
        match shared.next_job() {
            Some(job) => {
                runs.spawn_local(answer(job, Arc::clone(shared), Arc::clone(desk)));
                // The run gets its first turn before the next job is taken, so that free threads get their share.
                tokio::task::yield_now().await;
            }
            None => call.await,
        }
        while runs.try_join_next().is_some() {}
    }
    while runs.join_next().await.is_some() {}
}

async fn answer(job: Job, shared: Arc<Shared>, desk: Arc<Desk>) {
    let Job { source, question, mut reply, secret, tenant, exchange, server, dispatch, .. } = job;
    let run = Rc::new(Run::new(tenant, secret, shared.limits.clone(), exchange, server, dispatch));
    let asked = engine::ask(&source, question, Rc::clone(&run), &desk);
    let outcome = tokio::select! {
        outcome = asked => outcome,
        // Nobody waits for the answer any more.
        () = reply.closed() => Err(ScriptError::Timeout(run.limits.timeout)),
    };
    let _ = reply.send(outcome);
}
