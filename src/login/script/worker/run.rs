//! What one run of a script knows: its commits, what it said, and what it still waits for.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use rquickjs::{Coerced, Ctx, Exception, Result, Value};

use super::channel::Channel;
use crate::login::script::error::{ScriptError, thrown};
use crate::login::script::redactor::Redactor;
use crate::login::script::wire::{Allowance, Arrival, Line, Request, Word};

/// How many fetches and timers a script may wait for at the same time.
const MAX_WAITING: usize = 64;
/// How many it may begin in one run: each costs the server a turn.
const MAX_BEGUN: u32 = 1000;
/// Timers after this one wait for as long as in browsers.
const QUICK_TIMERS: u32 = 16;
/// The shortest time that these wait for.
const SHORTEST: Duration = Duration::from_millis(4);
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

/// One run, as the host functions see it. It holds no value of the engine, so that the two can be freed in any order.
pub(super) struct Run {
    pub(super) redactor: RefCell<Redactor>,
    channel: Rc<Channel>,
    time: Cell<Option<Allowance>>,
    fetches: RefCell<HashSet<u32>>,
    timers: RefCell<HashSet<u32>>,
    begun: Cell<u32>,
    committed: Cell<bool>,
    subject: RefCell<Subject>,
    unhandled: Cell<i32>,
    rejection: RefCell<Option<ScriptError>>,
    stopped: RefCell<Option<ScriptError>>,
    lines: Cell<u32>,
}

impl Run {
    /// A run that has not begun.
    pub(super) fn new(channel: &Rc<Channel>) -> Self {
        Self {
            redactor: RefCell::new(Redactor::none()),
            channel: Rc::clone(channel),
            time: Cell::default(),
            fetches: RefCell::default(),
            timers: RefCell::default(),
            begun: Cell::default(),
            committed: Cell::default(),
            subject: RefCell::default(),
            unhandled: Cell::default(),
            rejection: RefCell::default(),
            stopped: RefCell::default(),
            lines: Cell::default(),
        }
    }

    /// The script may compute for so long.
    pub(super) fn turn_begins(&self, time: Allowance) {
        self.time.set(Some(time));
    }

    /// Whether the script must stop computing. Once it must, it always must.
    pub(super) fn must_stop(&self) -> bool {
        let mut stopped = self.stopped.borrow_mut();
        if stopped.is_none() {
            *stopped = self.time.get().and_then(|time| self.channel.exceeded(time));
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
                self.channel.say(&Word::Line(Line::Subject((*what).to_owned())));
                username.to_owned()
            }
        }
    }

    /// A promise was rejected without a handler, or got its handler after all.
    pub(super) fn rejected(&self, reason: &Value<'_>, handled: bool) {
        // Each promise is reported at most once either way, so a count is enough to know whether one is left.
        self.unhandled.set(self.unhandled.get() + if handled { -1 } else { 1 });
        if !handled {
            *self.rejection.borrow_mut() = Some(thrown(reason, &self.redactor.borrow()));
        }
    }

    /// The last rejection that nobody handled, if any is left.
    pub(super) fn unhandled_rejection(&self) -> Option<ScriptError> {
        if self.unhandled.get() > 0 { self.rejection.borrow().clone() } else { None }
    }

    /// Whether there is anything that could still call the script.
    pub(super) fn is_waiting(&self) -> bool {
        !self.fetches.borrow().is_empty() || !self.timers.borrow().is_empty()
    }

    /// Whether the script still waits for this, which it then does no more.
    pub(super) fn takes(&self, arrival: &Arrival) -> bool {
        match arrival {
            Arrival::Timer(id) => self.timers.borrow_mut().remove(id),
            Arrival::Fetch(id, _) => self.fetches.borrow_mut().remove(id),
        }
    }

    fn begins(&self, ctx: &Ctx<'_>) -> Result<()> {
        let waiting = self.fetches.borrow().len() + self.timers.borrow().len();
        if waiting >= MAX_WAITING {
            let message = format!("a login script may wait for {MAX_WAITING} things at once");
            return Err(Exception::throw_range(ctx, &message));
        }
        if self.begun.get() >= MAX_BEGUN {
            let message = format!("a login script may wait for {MAX_BEGUN} things in one run");
            return Err(Exception::throw_range(ctx, &message));
        }
        self.begun.set(self.begun.get() + 1);
        Ok(())
    }

    /// Starts a request of the script.
    pub(super) fn fetch(&self, ctx: &Ctx<'_>, id: u32, request: Request) -> Result<()> {
        self.begins(ctx)?;
        self.fetches.borrow_mut().insert(id);
        self.channel.say(&Word::Fetch { id, request });
        Ok(())
    }

    /// Starts a timer of the script.
    pub(super) fn start_timer(&self, ctx: &Ctx<'_>, id: u32, millis: f64) -> Result<()> {
        self.begins(ctx)?;
        // No timer outlives the run; the bound keeps the conversion from overflowing.
        let delay = Duration::from_secs_f64(if millis > 0.0 { (millis / 1000.0).min(86_400.0) } else { 0.0 });
        let delay = if self.begun.get() > QUICK_TIMERS { delay.max(SHORTEST) } else { delay };
        self.timers.borrow_mut().insert(id);
        self.channel.say(&Word::Timer { id, delay });
        Ok(())
    }

    /// Stops a timer, if it still runs.
    pub(super) fn stop_timer(&self, id: u32) {
        if self.timers.borrow_mut().remove(&id) {
            self.channel.say(&Word::NoTimer { id });
        }
    }

    /// Computes what needs so many bytes besides those of the engine.
    pub(super) fn computing<T>(&self, bytes: u64, work: impl FnOnce() -> T) -> std::result::Result<T, String> {
        self.channel.computing(bytes, work).ok_or_else(|| "there is no memory for it now".to_owned())
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
        let text = || self.redactor.borrow().redact(text, MAX_LINE);
        let line = match level {
            _ if line > MAX_LINES => return,
            _ if line == MAX_LINES => Line::TooMany,
            "error" => Line::Error(text()),
            _ => Line::Info(text()),
        };
        self.channel.say(&Word::Line(line));
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
