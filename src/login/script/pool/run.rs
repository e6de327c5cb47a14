//! One run of a script, as the server sees it: the turns it takes, and what it waits for in between.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

use super::fetch::Exchange;
use super::floor::{Floor, Grant};
use super::job::{Event, Job, Process, Turn};
use super::process;
use super::shares::{Share, Shares};
use crate::login::script::ScriptLimits;
use crate::login::script::answer::Answer;
use crate::login::script::error::ScriptError;
use crate::login::script::redactor::Redactor;
use crate::login::script::wire::{self, Allowance, Arrival, Failure, Line, Order, Over, Request, Response, Word};

/// How many words of a process are under way to a run.
const WORDS: usize = 8;
/// How often a run looks whether there is memory for its computation.
const LOOK: Duration = Duration::from_millis(5);
/// How long a logged request may be, in characters.
const MAX_LINE: usize = 2048;

/// One run. It ends with whoever asks: what it waits for is given up, and its process forgets it.
pub(super) struct Run {
    id: u64,
    tenant: Arc<str>,
    deadline: Instant,
    limits: ScriptLimits,
    floor: Arc<Floor>,
    exchange: Exchange,
    bodies: Arc<Shares>,
    redactor: Redactor,
    seat: Option<Seat>,
    waiting: JoinSet<(Arrival, Option<Share>)>,
    timers: HashMap<u32, AbortHandle>,
}

/// The process that a run is in.
struct Seat {
    run: u64,
    desk: u64,
    process: Process,
    floor: Arc<Floor>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        // It may be gone.
        drop(self.process.jobs.send(Job::Forget(self.run)));
        self.floor.leave(self.desk);
    }
}

/// What the runs of a pool share.
pub(super) struct Shared {
    pub(super) limits: ScriptLimits,
    pub(super) floor: Arc<Floor>,
    /// Bytes of requests and responses.
    pub(super) bodies: Arc<Shares>,
}

impl Run {
    /// A run of a script of `tenant` that begins now.
    pub(super) fn new(shared: &Shared, id: u64, tenant: &Arc<str>, exchange: Exchange, redactor: Redactor) -> Self {
        Self {
            id,
            tenant: Arc::clone(tenant),
            deadline: Instant::now() + shared.limits.timeout,
            limits: shared.limits.clone(),
            floor: Arc::clone(&shared.floor),
            exchange,
            bodies: Arc::clone(&shared.bodies),
            redactor,
            seat: None,
            waiting: JoinSet::new(),
            timers: HashMap::new(),
        }
    }

    /// The answer to the question of `begin`, which is given the time of the first turn.
    pub(super) async fn ask<'o>(
        mut self,
        begin: impl FnOnce(u64, Allowance) -> Order<'o>,
    ) -> Result<Answer, ScriptError> {
        let timeout = self.limits.timeout;
        let granted = timeout_at(self.deadline, self.floor.turn(&self.tenant, None)).await;
        let Ok(Some(grant)) = granted else { return Err(ScriptError::PoolExhausted) };
        let mut over = self.turn(grant, begin).await?;
        loop {
            if let Some(outcome) = over.outcome {
                return outcome;
            }
            let arrived = timeout_at(self.deadline, self.next_arrival()).await;
            let (arrival, share) = match arrived {
                Err(_) => return Err(ScriptError::Timeout(timeout)),
                Ok(None) => return Err(ScriptError::NeverCommitted),
                Ok(Some(arrival)) => arrival?,
            };
            let desk = self.seat.as_ref().map(|seat| seat.desk);
            let granted = timeout_at(self.deadline, self.floor.turn(&self.tenant, desk)).await;
            let grant = granted.map_err(|_| ScriptError::Timeout(timeout))?.ok_or(ScriptError::PoolExhausted)?;
            over = self.turn(grant, |run, time| Order::Arrive { run, arrival, time }).await?;
            drop(share);
        }
    }

    async fn turn<'o>(
        &mut self,
        grant: Grant,
        order: impl FnOnce(u64, Allowance) -> Order<'o>,
    ) -> Result<Over, ScriptError> {
        let process = self.sit_down(&grant)?;
        let left = self.deadline.duration_since(Instant::now());
        let time = Allowance { busy: self.limits.busy, left, timeout: self.limits.timeout };
        let failed = |error: std::io::Error| ScriptError::Engine(error.to_string());
        let order = wire::frame(&order(self.id, time)).map_err(failed)?;
        let (heard, mut events) = mpsc::channel(WORDS);
        let is_heavy = grant.is_heavy;
        if process.jobs.send(Job::Turn(Turn { order, time, is_heavy, heard })).is_err() {
            return Err(ScriptError::PoolExhausted);
        }
        grant.used();
        while let Some(event) = events.recv().await {
            match event {
                Event::Said(word) => self.hear(word),
                Event::Need(bytes, reply) => drop(reply.send(self.find_memory(bytes).await)),
                Event::Over(over) => return Ok(over),
                Event::Lost(error) => return Err(error),
            }
        }
        // It was in the way of others.
        Err(ScriptError::Busy(time.busy))
    }

    /// The process of this run, started if there is none yet.
    fn sit_down(&mut self, grant: &Grant) -> Result<Process, ScriptError> {
        if let Some(seat) = &self.seat {
            return Ok(seat.process.clone());
        }
        let process = match self.floor.process(grant.desk) {
            Some(process) => process,
            None => {
                let limits = &self.limits;
                let started = process::start(&limits.program, &self.floor, grant.desk, limits.patience);
                let process = started.map_err(|error| {
                    tracing::error!(cause = %error, "no process for login scripts");
                    ScriptError::PoolExhausted
                })?;
                self.floor.started(grant.desk, process.clone());
                process
            }
        };
        let floor = Arc::clone(&self.floor);
        self.seat = Some(Seat { run: self.id, desk: grant.desk, process: process.clone(), floor });
        Ok(process)
    }

    async fn find_memory(&self, bytes: u64) -> bool {
        let Some(seat) = &self.seat else { return false };
        while !self.floor.compute(seat.desk, bytes) {
            if Instant::now() >= self.deadline {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Line(line) => self.log(&line),
            Word::Fetch { id, request } => self.fetch(id, request),
            Word::Timer { id, delay } => {
                let timer = self.waiting.spawn(async move {
                    sleep(delay).await;
                    (Arrival::Timer(id), None)
                });
                self.timers.insert(id, timer);
            }
            Word::NoTimer { id } => self.timers.remove(&id).iter().for_each(AbortHandle::abort),
            Word::Need { .. } | Word::Over(_) => {}
        }
    }

    fn fetch(&mut self, id: u32, request: Request) {
        let (tenant, exchange) = (Arc::clone(&self.tenant), self.exchange.clone());
        let what = self.redactor.redact(&request.to_string(), MAX_LINE);
        let share = self.bodies.take(&self.tenant, request.size());
        let log = tracing::dispatcher::get_default(Clone::clone);
        self.waiting.spawn(async move {
            let began = Instant::now();
            let (outcome, share) = match share {
                Some(mut share) => (exchange.fetch(request, &mut share).await, Some(share)),
                None => (Err(Failure::new("fetch: scripts of this tenant hold too much of what they sent")), None),
            };
            tracing::dispatcher::with_default(&log, || tell(&tenant, &what, &outcome, began.elapsed()));
            (Arrival::Fetch(id, outcome), share)
        });
    }

    /// Waits for the next fetch or timer; `None` if the script waits for nothing.
    async fn next_arrival(&mut self) -> Option<Result<(Arrival, Option<Share>), ScriptError>> {
        loop {
            match poll_fn(|cx| self.waiting.poll_join_next(cx)).await? {
                Ok(arrival) => return Some(Ok(arrival)),
                // A timer that was cleared.
                Err(error) if error.is_cancelled() => {}
                Err(_) => return Some(Err(ScriptError::Engine("a host function failed".to_owned()))),
            }
        }
    }

    fn log(&self, line: &Line) {
        let tenant = &*self.tenant;
        match line {
            Line::Info(text) => tracing::info!(tenant, "login script: {text}"),
            Line::Error(text) => tracing::error!(tenant, "login script: {text}"),
            Line::TooMany => tracing::warn!(tenant, "the login script logs too much; the rest of this run is left out"),
            Line::Subject(what) => tracing::warn!(
                tenant,
                "the committed subject is {what}, so the username stands in for it; commit a text or a number, like \
                 commit({{ subject: user.id }})"
            ),
        }
    }
}

/// Logs each fetch: debugging a script needs the answers of its backend.
fn tell(tenant: &str, what: &str, outcome: &Result<Response, Failure>, took: Duration) {
    let (status, failure) = match outcome {
        Ok(response) => (Some(response.code), None),
        Err(Failure { answer: Some((status, _)), .. }) => (Some(*status), None),
        Err(failure) => (None, Some(&*failure.message)),
    };
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(tenant, status, failure, milliseconds, "login script: fetch {what}");
}
