//! What one run of a script knows: its limits, its commits, and what it still waits for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rquickjs::{Coerced, Ctx, Exception, Result, Value};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tracing::Dispatch;

use super::ScriptLimits;
use super::error::{ScriptError, thrown};
use super::fetch::{Exchange, Failure, Request, Response};
use super::redactor::Redactor;

/// How many fetches and timers a script may wait for at the same time.
const MAX_WAITING: usize = 64;
/// How many lines a script may log in one run.
const MAX_LINES: u32 = 50;
/// How long a logged line may be, in characters.
const MAX_LINE: usize = 2048;

/// What the commits of a run said about who the person is.
#[derive(Default)]
enum Subject {
    /// Nothing: the username is used.
    #[default]
    Unsaid,
    /// An unusable value, such as that of a missing key in the backend's answer; says what it is.
    Unusable(&'static str),
    /// This subject.
    Named(String),
}

/// Something that a script waited for.
pub(super) enum Arrival {
    Timer(u32),
    Fetch(u32, std::result::Result<Response, Failure>),
}

/// One run, as the host functions see it. It holds no value of the engine, so that the two can be freed in any order.
pub(super) struct Run {
    pub(super) tenant: Arc<str>,
    pub(super) redactor: Redactor,
    pub(super) limits: ScriptLimits,
    pub(super) deadline: Instant,
    exchange: Exchange,
    /// Where fetches and timers live: a thread that is stuck in one script must not hold the connections of others.
    server: Handle,
    /// Where log lines go: to the caller's log, not the thread's.
    dispatch: Dispatch,
    waiting: RefCell<JoinSet<Arrival>>,
    timers: RefCell<HashMap<u32, AbortHandle>>,
    committed: Cell<bool>,
    subject: RefCell<Subject>,
    unhandled: Cell<i32>,
    rejection: RefCell<Option<ScriptError>>,
    turn_began: Cell<Instant>,
    stopped: RefCell<Option<ScriptError>>,
    lines: Cell<u32>,
}

impl Run {
    /// A run that begins now.
    pub(super) fn new(
        tenant: Arc<str>,
        redactor: Redactor,
        limits: ScriptLimits,
        exchange: Exchange,
        server: Handle,
        dispatch: Dispatch,
    ) -> Self {
        let now = Instant::now();
        Self {
            tenant,
            redactor,
            deadline: now + limits.timeout,
            limits,
            exchange,
            server,
            dispatch,
            waiting: RefCell::default(),
            timers: RefCell::default(),
            committed: Cell::new(false),
            subject: RefCell::default(),
            unhandled: Cell::new(0),
            rejection: RefCell::default(),
            turn_began: Cell::new(now),
            stopped: RefCell::default(),
            lines: Cell::new(0),
        }
    }

    /// The script gets the thread, until it waits again.
    pub(super) fn turn_begins(&self) {
        self.turn_began.set(Instant::now());
    }

    /// Whether the script must stop computing. Once it must, it always must.
    pub(super) fn must_stop(&self) -> bool {
        let now = Instant::now();
        let mut stopped = self.stopped.borrow_mut();
        if stopped.is_none() && now >= self.deadline {
            *stopped = Some(ScriptError::Timeout(self.limits.timeout));
        } else if stopped.is_none() && now.duration_since(self.turn_began.get()) >= self.limits.busy {
            *stopped = Some(ScriptError::Busy(self.limits.busy));
        }
        stopped.is_some()
    }

    /// Why the script was stopped, if it was.
    pub(super) fn stopped(&self) -> Option<ScriptError> {
        self.stopped.borrow().clone()
    }

    pub(super) fn committed(&self) -> bool {
        self.committed.get()
    }

    /// The subject of the commits, otherwise the username, which scripts in use rely on. An unusable subject is logged,
    /// because the tokens then have another `sub` than the author meant.
    pub(super) fn subject_or(&self, username: &str) -> String {
        match &*self.subject.borrow() {
            Subject::Named(subject) => subject.clone(),
            Subject::Unsaid => username.to_owned(),
            Subject::Unusable(what) => {
                let _side = tracing::dispatcher::set_default(&self.dispatch);
                tracing::warn!(
                    tenant = &*self.tenant,
                    "the committed subject is {what}, so the username stands in for it; commit a text or a number, like \
                     commit({{ subject: user.id }})"
                );
                username.to_owned()
            }
        }
    }

    /// A promise was rejected without a handler, or got its handler after all.
    pub(super) fn rejected(&self, reason: &Value<'_>, handled: bool) {
        // Each promise is reported at most once either way, so a count is enough to know whether one is left.
        self.unhandled.set(self.unhandled.get() + if handled { -1 } else { 1 });
        if !handled {
            *self.rejection.borrow_mut() = Some(thrown(reason, &self.redactor));
        }
    }

    /// The last rejection that nobody handled, if any is left.
    pub(super) fn unhandled_rejection(&self) -> Option<ScriptError> {
        if self.unhandled.get() > 0 { self.rejection.borrow().clone() } else { None }
    }

    /// Waits for the next fetch or timer; `None` if the script waits for nothing.
    pub(super) async fn next_arrival(&self) -> Option<std::result::Result<Arrival, ScriptError>> {
        loop {
            match std::future::poll_fn(|cx| self.waiting.borrow_mut().poll_join_next(cx)).await? {
                Ok(arrival) => return Some(Ok(arrival)),
                // A timer that was cleared.
                Err(error) if error.is_cancelled() => {}
                Err(_) => return Some(Err(ScriptError::Engine("a host function failed".to_owned()))),
            }
        }
    }

    fn wait_for(&self, ctx: &Ctx<'_>, task: impl Future<Output = Arrival> + Send + 'static) -> Result<AbortHandle> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= MAX_WAITING {
            let message = format!("a login script may wait for {MAX_WAITING} things at once");
            return Err(Exception::throw_range(ctx, &message));
        }
        Ok(waiting.spawn_on(task, &self.server))
    }

    /// Starts a request of the script.
    pub(super) fn fetch(&self, ctx: &Ctx<'_>, id: u32, request: Request) -> Result<()> {
        let exchange = self.exchange.clone();
        let what = self.redactor.redact(&request.to_string(), MAX_LINE);
        let (tenant, dispatch) = (Arc::clone(&self.tenant), self.dispatch.clone());
        self.wait_for(ctx, async move {
            let began = Instant::now();
            let outcome = exchange.fetch(request).await;
            tracing::dispatcher::with_default(&dispatch, || tell(&tenant, &what, &outcome, began.elapsed()));
            Arrival::Fetch(id, outcome)
        })?;
        Ok(())
    }

    /// Starts a timer of the script.
    pub(super) fn start_timer(&self, ctx: &Ctx<'_>, id: u32, millis: f64) -> Result<()> {
        // No timer outlives the run; the bound keeps the conversion from overflowing.
        let delay = Duration::from_secs_f64(if millis > 0.0 { (millis / 1000.0).min(86_400.0) } else { 0.0 });
        let timer = self.wait_for(ctx, async move {
            tokio::time::sleep(delay).await;
            Arrival::Timer(id)
        })?;
        self.timers.borrow_mut().insert(id, timer);
        Ok(())
    }

    /// Stops a timer, if it still runs.
    pub(super) fn stop_timer(&self, id: u32) {
        if let Some(timer) = self.timers.borrow_mut().remove(&id) {
            timer.abort();
        }
    }

    /// Notes a commit. The value's truth does not matter; the first object that names a subject does.
    pub(super) fn commit(&self, values: &[Value<'_>]) -> Result<()> {
        self.committed.set(true);
        for object in values.iter().filter_map(Value::as_object) {
            if matches!(*self.subject.borrow(), Subject::Named(_)) {
                break;
            }
            if object.contains_key("subject")? {
                let said = Subject::said(&object.get("subject")?)?;
                *self.subject.borrow_mut() = said;
            }
        }
        Ok(())
    }

    /// Logs a line of the script.
    pub(super) fn log(&self, level: &str, text: &str) {
        let line = self.lines.get();
        self.lines.set(line.saturating_add(1));
        let tenant = &*self.tenant;
        let _side = tracing::dispatcher::set_default(&self.dispatch);
        if line == MAX_LINES {
            tracing::warn!(tenant, "the login script logs too much; the rest of this run is left out");
        } else if line < MAX_LINES && level == "error" {
            tracing::error!(tenant, "login script: {}", self.redactor.redact(text, MAX_LINE));
        } else if line < MAX_LINES {
            tracing::info!(tenant, "login script: {}", self.redactor.redact(text, MAX_LINE));
        }
    }
}

impl Subject {
    fn said(value: &Value<'_>) -> Result<Self> {
        Ok(match (value.as_string(), value.as_number()) {
            (Some(text), _) => match text.to_string()? {
                empty if empty.is_empty() => Self::Unusable("an empty text"),
                text => Self::Named(text),
            },
            (None, Some(number)) if number.is_finite() => Self::Named(value.get::<Coerced<String>>()?.0),
            (None, Some(_)) => Self::Unusable("not a finite number"),
            (None, None) => Self::Unusable(value.type_name()),
        })
    }
}

/// Logs each fetch: debugging a script needs the answers of its backend.
fn tell(tenant: &str, what: &str, outcome: &std::result::Result<Response, Failure>, took: Duration) {
    let (status, failure) = match outcome {
        Ok(response) => (Some(response.code), None),
        Err(Failure { answer: Some((status, _)), .. }) => (Some(*status), None),
        Err(failure) => (None, Some(&*failure.message)),
    };
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(tenant, status, failure, milliseconds, "login script: fetch {what}");
}
