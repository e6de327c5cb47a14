//! One run of a script, from the fresh engine to the answer. It lives on one thread and gives it away while it waits.

use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, FromJs, Object, Persistent, Runtime, Value};

use super::answer::{self, Answer};
use super::desk::Desk;
use super::error::{SOURCE_NAME, ScriptError, caught, uncompiled};
use super::question::Question;
use super::run::{Arrival, Run};
use super::{host, parts};

/// Asks `source` the question, at `desk`. Every stretch of JavaScript is one turn; between turns the thread is free.
pub(super) async fn ask(source: &str, question: Question, run: Rc<Run>, desk: &Desk) -> Result<Answer, ScriptError> {
    let started = desk.turn(&run, || Engine::start(source, &question, Rc::clone(&run)))?;
    let Some(engine) = started else { return Ok(Answer::MissingClass) };
    loop {
        // Everything that can run without waiting runs first: what a script does right after its commit still counts.
        if let Some(answer) = desk.turn(&run, || engine.drain().and_then(|()| engine.answer(&question)))? {
            return Ok(answer);
        }
        let arrival = match tokio::time::timeout_at(run.deadline, run.next_arrival()).await {
            Err(_) => return Err(ScriptError::Timeout(run.limits.timeout)),
            Ok(None) => return Err(ScriptError::NeverCommitted),
            Ok(Some(arrival)) => arrival?,
        };
        desk.turn(&run, || engine.deliver(arrival))?;
    }
}

/// The fields are dropped in this order: values before their context, the context before its runtime.
struct Engine {
    driver: Persistent<Object<'static>>,
    context: Context,
    runtime: Runtime,
    run: Rc<Run>,
}

impl Engine {
    /// A fresh engine in which the source has run and the provider is constructed; `None` without the class.
    fn start(source: &str, question: &Question, run: Rc<Run>) -> Result<Option<Self>, ScriptError> {
        let failed = |error: rquickjs::Error| ScriptError::Engine(error.to_string());
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_memory_limit(run.limits.memory);
        runtime.set_max_stack_size(run.limits.stack);
        let watch = Rc::clone(&run);
        runtime.set_interrupt_handler(Some(Box::new(move || watch.must_stop())));
        let watch = Rc::clone(&run);
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |_, _, reason, handled| {
            watch.rejected(&reason, handled);
        })));
        let context = Context::full(&runtime).map_err(failed)?;
        let driver = context.with(|ctx| {
            let driver = parts::install(&ctx, &run).map_err(|error| explain(&ctx, &error, &run))?;
            evaluate::<()>(&ctx, source).map_err(|error| match run.stopped() {
                Some(stopped) => stopped,
                None => uncompiled(&ctx, &error, &run.redactor),
            })?;
            let constructed = construct(&ctx, &driver, question).map_err(|error| explain(&ctx, &error, &run))?;
            Ok(constructed.then(|| Persistent::save(&ctx, driver)))
        })?;
        Ok(driver.map(|driver| Self { driver, context, runtime, run }))
    }

    /// Runs the engine's job queue until it is empty.
    fn drain(&self) -> Result<(), ScriptError> {
        loop {
            // A chain of promises may never end, and each of its jobs may be too short for the interrupt handler.
            if self.run.must_stop() {
                return Err(self.run.stopped().unwrap_or(ScriptError::Timeout(self.run.limits.timeout)));
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

    /// Hands over what the script waited for.
    fn deliver(&self, arrival: Arrival) -> Result<(), ScriptError> {
        self.with_driver(|ctx, driver| host::deliver(driver, arrival).map_err(|e| explain(ctx, &e, &self.run)))
    }

    /// The answer, if the script has committed.
    fn answer(&self, question: &Question) -> Result<Option<Answer>, ScriptError> {
        if !self.run.committed() {
            return Ok(None);
        }
        self.with_driver(|ctx, driver| {
            answer::read(driver, question, &self.run).map(Some).map_err(|unread| match unread {
                answer::Unread::Engine(error) => explain(ctx, &error, &self.run),
                answer::Unread::Unusable(what) => ScriptError::BadAnswer(what),
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
pub(super) fn evaluate<'js, V: FromJs<'js>>(ctx: &Ctx<'js>, source: &str) -> rquickjs::Result<V> {
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
        Question::Login(credentials) => {
            about.set("username", credentials.username.as_str())?;
            about.set("password", credentials.password.as_str())?;
            about.set("grant_type", credentials.grant_type)?;
        }
        Question::Validation(username) => about.set("username", username.as_str())?,
    }
    let provider: Object<'js> = class.construct((about,))?;
    driver.set("provider", provider)?;
    Ok(true)
}

/// A script that was stopped ends in an exception of the engine, which says less than why it was stopped.
fn explain(ctx: &Ctx<'_>, error: &rquickjs::Error, run: &Run) -> ScriptError {
    run.stopped().unwrap_or_else(|| caught(ctx, error, &run.redactor))
}
