//! One engine, for one run of a script: from the source to the answer, in turns.

use std::rc::Rc;

use anyhow::anyhow;
use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, FromJs, Object, Persistent, Runtime, Value};

use super::channel::Channel;
use super::run::Run;
use super::{host, parts, reading};
use crate::login::script::answer::Answer;
use crate::login::script::error::{SOURCE_NAME, ScriptError, caught, uncompiled};
use crate::login::script::question::Question;
use crate::login::script::wire::{Allowance, Arrival};
use crate::login::script::{MEMORY, STACK};

/// The fields are dropped in this order: values before their context, the context before its runtime.
pub(super) struct Engine {
    driver: Persistent<Object<'static>>,
    context: Context,
    runtime: Runtime,
    run: Rc<Run>,
    question: Option<Question>,
}

impl Engine {
    /// A fresh engine with everything that scripts may call. Nothing runs in it yet.
    pub(super) fn blank(channel: &Rc<Channel>) -> anyhow::Result<Self> {
        let run = Rc::new(Run::new(channel));
        let runtime = Runtime::new()?;
        runtime.set_memory_limit(MEMORY);
        runtime.set_max_stack_size(STACK);
        let watch = Rc::clone(&run);
        runtime.set_interrupt_handler(Some(Box::new(move || watch.must_stop())));
        let watch = Rc::clone(&run);
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |_, _, reason, handled| {
            watch.rejected(&reason, handled);
        })));
        let context = Context::full(&runtime)?;
        let driver = context.with(|ctx| parts::install(&ctx, &run).map(|driver| Persistent::save(&ctx, driver)));
        let driver = driver.map_err(|error| anyhow!("the engine does not start: {error}"))?;
        Ok(Self { driver, context, runtime, run, question: None })
    }

    /// The script may compute for so long.
    pub(super) fn turn_begins(&self, time: Allowance) {
        self.run.turn_begins(time);
    }

    /// Whether the script was stopped because it computed for too long.
    pub(super) fn was_stopped(&self) -> bool {
        self.run.stopped().is_some()
    }

    /// The first turn: runs the source, and constructs the provider. The answer, or `None` if the script waits.
    pub(super) fn begin(&mut self, source: &str, question: Question) -> Result<Option<Answer>, ScriptError> {
        *self.run.redactor.borrow_mut() = question.redactor();
        let is_there = self.with_driver(|ctx, driver| {
            evaluate::<()>(ctx, source).map_err(|error| match self.run.stopped() {
                Some(stopped) => stopped,
                None => uncompiled(ctx, &error, &self.run.redactor.borrow()),
            })?;
            construct(ctx, driver, &question).map_err(|error| explain(ctx, &error, &self.run))
        })?;
        self.question = Some(question);
        if is_there { self.rest() } else { Ok(Some(Answer::MissingClass)) }
    }

    /// A further turn: hands over what the script waited for. The answer, or `None` if the script waits.
    pub(super) fn go_on(&self, arrival: Arrival) -> Result<Option<Answer>, ScriptError> {
        if !self.run.takes(&arrival) {
            return Ok(None);
        }
        self.with_driver(|ctx, driver| host::deliver(driver, arrival).map_err(|e| explain(ctx, &e, &self.run)))?;
        self.rest()
    }

    /// Everything that can run without waiting runs first: what a script does right after its commit still counts.
    fn rest(&self) -> Result<Option<Answer>, ScriptError> {
        self.drain()?;
        match self.answer()? {
            None if !self.run.is_waiting() => Err(ScriptError::NeverCommitted),
            answer => Ok(answer),
        }
    }

    /// Runs the engine's job queue until it is empty.
    fn drain(&self) -> Result<(), ScriptError> {
        loop {
            // A chain of promises may never end, and each of its jobs may be too short for the interrupt handler.
            if self.run.must_stop() {
                return Err(self.run.stopped().unwrap_or(ScriptError::NeverCommitted));
            }
            match self.runtime.execute_pending_job() {
                Ok(true) => {}
                Ok(false) => break,
                Err(failed) => return Err(failed.0.with(|ctx| explain(&ctx, &rquickjs::Error::Exception, &self.run))),
            }
        }
        match self.run.unhandled_rejection() {
            Some(rejection) => Err(rejection),
            None => Ok(()),
        }
    }

    /// The answer, if the script has committed.
    fn answer(&self) -> Result<Option<Answer>, ScriptError> {
        let Some(question) = self.question.as_ref().filter(|_| self.run.committed()) else { return Ok(None) };
        self.with_driver(|ctx, driver| {
            reading::read(driver, question, &self.run).map(Some).map_err(|unread| match unread {
                reading::Unread::Engine(error) => explain(ctx, &error, &self.run),
                reading::Unread::Unusable(what) => ScriptError::BadAnswer(what),
            })
        })
    }

    fn with_driver<T>(
        &self,
        work: impl for<'js> FnOnce(&Ctx<'js>, &Object<'js>) -> Result<T, ScriptError>,
    ) -> Result<T, ScriptError> {
        self.context.with(|ctx| {
            let driver = self.driver.clone().restore(&ctx).map_err(|error| explain(&ctx, &error, &self.run))?;
            work(&ctx, &driver)
        })
    }
}

/// Runs `source` as a classic script, in sloppy mode.
pub(in crate::login::script) fn evaluate<'js, V: FromJs<'js>>(ctx: &Ctx<'js>, source: &str) -> rquickjs::Result<V> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(SOURCE_NAME.to_owned());
    ctx.eval_with_options(source, options)
}

/// Constructs the provider and leaves it with the driver; answers whether its class exists.
fn construct<'js>(ctx: &Ctx<'js>, driver: &Object<'js>, question: &Question) -> rquickjs::Result<bool> {
    let class = question.class();
    // Classes are not properties of the global object; only a script in the same scope sees them.
    let found: Value<'js> = ctx.eval(format!("typeof {class} === 'undefined' ? undefined : {class}"))?;
    let Some(class) = found.into_constructor() else { return Ok(false) };
    let about = Object::new(ctx.clone())?;
    match question {
        Question::Login { username, password, grant_type } => {
            about.set("username", username.as_str())?;
            about.set("password", password.as_str())?;
            about.set("grant_type", grant_type.as_str())?;
        }
        Question::Validation { username } => about.set("username", username.as_str())?,
    }
    let provider: Object<'js> = class.construct((about,))?;
    driver.set("provider", provider)?;
    Ok(true)
}

/// A script that was stopped ends in an exception of the engine, which says less than why it was stopped.
fn explain(ctx: &Ctx<'_>, error: &rquickjs::Error, run: &Run) -> ScriptError {
    run.stopped().unwrap_or_else(|| caught(ctx, error, &run.redactor.borrow()))
}
