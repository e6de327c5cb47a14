//! The threads that run scripts. Many runs share one while they wait; one that is stuck in a script is replaced.

use std::rc::Rc;
use std::sync::Arc;

use tokio::task::{JoinSet, LocalSet};

use super::desk::Desk;
use super::engine;
use super::error::ScriptError;
use super::pool::{Job, PoolState};
use super::run::Run;

/// Starts the thread at `desk`.
pub(super) fn start(shared: Arc<PoolState>, desk: Arc<Desk>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let work = move || {
        LocalSet::new().block_on(&runtime, serve(&shared, &desk));
        shared.leave(&desk);
    };
    std::thread::Builder::new().name("login-script".to_owned()).spawn(work).map(drop)
}

async fn serve(shared: &Arc<PoolState>, desk: &Arc<Desk>) {
    let mut runs = JoinSet::new();
    while !desk.is_retired() && !shared.is_closed() {
        // Listens before it looks, so that a job that comes in between wakes this thread.
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

async fn answer(job: Job, shared: Arc<PoolState>, desk: Arc<Desk>) {
    let Job { source, question, mut reply, redactor, tenant, exchange, server, dispatch, .. } = job;
    let run = Rc::new(Run::new(tenant, redactor, shared.limits.clone(), exchange, server, dispatch));
    let asked = engine::ask(&source, question, Rc::clone(&run), &desk);
    let outcome = tokio::select! {
        outcome = asked => outcome,
        // Nobody waits for the answer any more.
        () = reply.closed() => Err(ScriptError::Timeout(run.limits.timeout)),
    };
    let _ = reply.send(outcome);
}
