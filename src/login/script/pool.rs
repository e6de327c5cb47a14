//! The bounded pool of threads for login scripts, and the queue in front of it.
//!
//! The engine can stop a script between its own steps, but not inside a built-in function: a loop of sorts or searches
//! may keep a thread far beyond every limit. So nobody waits for a thread: the caller has a timeout of its own, a thread
//! that is stuck takes no further job and is replaced up to a cap, and one tenant can hold only a part of that cap, and
//! of the places in the queue.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::Dispatch;

use super::answer::{Answer, Update};
use super::desk::{Desk, Turn};
use super::error::ScriptError;
use super::fetch::{self, Exchange};
use super::places::Places;
use super::question::Question;
use super::redactor::Redactor;
use super::{LOGIN_CLASS, Script, ScriptLimits, VALIDATION_CLASS, worker};
use crate::login::Credentials;
use crate::session::Identity;

/// Runs login scripts, many at once, on a few threads of its own. Clones share the threads.
#[derive(Clone)]
pub struct ScriptPool {
    handle: Arc<PoolHandle>,
}

/// Lets the threads go when the last clone is dropped.
struct PoolHandle(Arc<PoolState>);

impl Drop for PoolHandle {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.bell.notify_waiters();
    }
}

impl ScriptPool {
    /// A pool with these limits. Threads start with the first scripts.
    pub fn new(limits: ScriptLimits) -> Self {
        let shared = PoolState {
            places: Places::new(limits.max_runs),
            limits,
            floor: Mutex::default(),
            bell: Notify::new(),
            closed: AtomicBool::new(false),
            client: OnceLock::new(),
        };
        Self { handle: Arc::new(PoolHandle(Arc::new(shared))) }
    }

    /// Asks the script's `UserLoginProvider` who this person is; `None` if they may not log in.
    ///
    /// # Errors
    /// Why there is no answer; the person cannot log in then either. Never contains the password.
    pub async fn login(&self, script: &Script<'_>, credentials: Credentials) -> Result<Option<Identity>, ScriptError> {
        match self.ask(script, Question::Login(credentials)).await? {
            Answer::Login(identity) => Ok(identity),
            _ => Err(ScriptError::MissingClass(LOGIN_CLASS)),
        }
    }

    /// Asks the script's `UserValidationProvider` whether the person may stay: what is new about them, or `None` if they
    /// may not.
    ///
    /// # Errors
    /// Why there is no answer, which is not a no; [`ScriptError::MissingClass`] if there is no such class.
    pub async fn validate(&self, script: &Script<'_>, username: &str) -> Result<Option<Update>, ScriptError> {
        match self.ask(script, Question::Validation(username.to_owned())).await? {
            Answer::Validation(update) => Ok(update),
            _ => Err(ScriptError::MissingClass(VALIDATION_CLASS)),
        }
    }

    async fn ask(&self, script: &Script<'_>, question: Question) -> Result<Answer, ScriptError> {
        let shared = &self.handle.0;
        let limits = &shared.limits;
        let _place = shared.places.take(script.tenant).ok_or(ScriptError::PoolExhausted)?;
        let (reply, mut answer) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        shared.submit(Job::new(shared, script, question, reply, Arc::clone(&taken)));
        let limit = tokio::time::sleep(limits.timeout);
        tokio::pin!(limit);
        loop {
            tokio::select! {
                biased;
                outcome = &mut answer => {
                    return outcome.unwrap_or_else(|_| Err(ScriptError::Engine("the script's thread failed".to_owned())));
                }
                () = &mut limit => {
                    let began = taken.load(Ordering::Acquire);
                    return Err(if began { ScriptError::Timeout(limits.timeout) } else { ScriptError::PoolExhausted });
                }
                // The waiting caller supervises the threads: that needs no thread of its own, and stops when nobody waits.
                () = tokio::time::sleep(limits.patience()) => shared.supervise(),
            }
        }
    }
}

/// A question on its way to a thread.
pub(super) struct Job {
    pub(super) tenant: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) question: Question,
    pub(super) redactor: Redactor,
    pub(super) exchange: Exchange,
    /// The runtime of the caller, where fetches and timers live.
    pub(super) server: Handle,
    /// Where the caller's log lines go.
    pub(super) dispatch: Dispatch,
    pub(super) reply: oneshot::Sender<Result<Answer, ScriptError>>,
    taken: Arc<AtomicBool>,
}

impl Job {
    fn new(
        shared: &PoolState,
        script: &Script<'_>,
        question: Question,
        reply: oneshot::Sender<Result<Answer, ScriptError>>,
        taken: Arc<AtomicBool>,
    ) -> Self {
        Self {
            tenant: script.tenant.into(),
            source: Arc::clone(&script.source),
            redactor: question.redactor(),
            question,
            exchange: shared.exchange(script),
            server: Handle::current(),
            dispatch: tracing::dispatcher::get_default(Dispatch::clone),
            reply,
            taken,
        }
    }
}

/// What callers and threads share.
pub(super) struct PoolState {
    pub(super) limits: ScriptLimits,
    /// Wakes every free thread at once: a single one could get stuck before it takes the job.
    pub(super) bell: Notify,
    places: Places,
    floor: Mutex<Floor>,
    closed: AtomicBool,
    client: OnceLock<Result<reqwest::Client, String>>,
}

#[derive(Default)]
struct Floor {
    jobs: VecDeque<Job>,
    desks: Vec<Arc<Desk>>,
}

impl PoolState {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The next job for a free thread: the first that somebody still waits for, of the tenant that keeps the fewest
    /// threads now. A tenant that has its share of threads stuck gets no further one.
    pub(super) fn next_job(&self) -> Option<Job> {
        let mut floor = self.floor();
        let floor = &mut *floor;
        floor.jobs.retain(|job| !job.reply.is_closed());
        let turns: Vec<Turn> = floor.desks.iter().filter_map(|desk| desk.current()).collect();
        let share = (self.limits.max_stuck / 8).max(1);
        let of_tenant = |job: &Job| turns.iter().filter(|turn| turn.tenant == job.tenant).collect::<Vec<_>>();
        let may_run = |job: &Job| of_tenant(job).into_iter().filter(|turn| self.is_stuck(turn)).count() < share;
        let open = floor.jobs.iter().enumerate().filter(|(_, job)| may_run(job));
        let (index, _) = open.min_by_key(|(_, job)| of_tenant(job).len())?;
        let job = floor.jobs.remove(index)?;
        job.taken.store(true, Ordering::Release);
        Some(job)
    }

    /// A thread has left its desk.
    pub(super) fn leave(&self, desk: &Arc<Desk>) {
        self.floor().desks.retain(|other| !Arc::ptr_eq(other, desk));
        self.bell.notify_waiters();
    }

    fn submit(self: &Arc<Self>, job: Job) {
        let mut floor = self.floor();
        floor.jobs.push_back(job);
        self.staff(&mut floor);
        drop(floor);
        self.bell.notify_waiters();
    }

    /// Replaces stuck threads, and wakes free ones for jobs that had to wait for their tenant's share.
    fn supervise(self: &Arc<Self>) {
        let mut floor = self.floor();
        let mut retired = floor.desks.iter().filter(|desk| desk.is_retired()).count();
        for desk in floor.desks.iter().filter(|desk| !desk.is_retired()) {
            let Some(turn) = desk.current().filter(|turn| self.is_stuck(turn)) else { continue };
            if retired < self.limits.max_stuck {
                desk.retire();
                retired += 1;
                let tenant = &*turn.tenant;
                tracing::warn!(tenant, "a login script does not give its thread back; another thread replaces it");
            }
        }
        self.staff(&mut floor);
        let waiting = !floor.jobs.is_empty();
        drop(floor);
        if waiting {
            self.bell.notify_waiters();
        }
    }

    /// Starts threads for waiting jobs while there are fewer than the limit.
    fn staff(self: &Arc<Self>, floor: &mut Floor) {
        let at_work: Vec<_> = floor.desks.iter().filter(|desk| !desk.is_retired()).collect();
        let free = at_work.iter().filter(|desk| desk.current().is_none()).count();
        if floor.jobs.len() <= free || at_work.len() >= self.limits.threads {
            return;
        }
        let desk = Arc::new(Desk::default());
        match worker::start(Arc::clone(self), Arc::clone(&desk)) {
            Ok(()) => floor.desks.push(desk),
            Err(error) => tracing::error!(%error, "no thread for login scripts"),
        }
    }

    fn is_stuck(&self, turn: &Turn) -> bool {
        Instant::now().duration_since(turn.began) > self.limits.patience()
    }

    fn exchange(&self, script: &Script<'_>) -> Exchange {
        let client = self.client.get_or_init(|| fetch::client().map_err(|error| error.to_string()));
        Exchange { client: client.clone(), limits: self.limits.fetch.clone(), hosts: script.fetch_hosts.clone() }
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
