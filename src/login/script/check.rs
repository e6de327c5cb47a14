//! Looks at a script when it is loaded, without running any of it.

use rquickjs::{Context, Ctx, Object, Runtime, Value};

use super::error::{ScriptError, caught, uncompiled};
use super::redactor::Redactor;
use super::worker::engine;
use super::{LOGIN_CLASS, MEMORY, STACK, VALIDATION_CLASS};

/// Which of the two classes a script declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes {
    /// `UserLoginProvider`.
    pub login: bool,
    /// `UserValidationProvider`.
    pub validation: bool,
}

/// Compiles `source` and tells which classes it declares at its top level. Nothing of it runs.
///
/// # Errors
/// [`ScriptError::Syntax`] with the line, or what kept the engine from reading it.
pub fn check(source: &str) -> Result<Classes, ScriptError> {
    let redactor = Redactor::none();
    let engine = |error: rquickjs::Error| ScriptError::Engine(error.to_string());
    let runtime = Runtime::new().map_err(engine)?;
    runtime.set_memory_limit(MEMORY);
    runtime.set_max_stack_size(STACK);
    let context = Context::full(&runtime).map_err(engine)?;
    context.with(|ctx| {
        let stop = Object::new(ctx.clone()).map_err(|error| caught(&ctx, &error, &redactor))?;
        ctx.globals().set("stop", stop.clone()).map_err(|error| caught(&ctx, &error, &redactor))?;
        // A script is compiled as a whole before its first statement runs, and this is the first: it keeps the rest
        // from running, and stands on the source's first line so that the parser counts as the author does.
        let outcome = engine::evaluate::<Value<'_>>(&ctx, &format!("throw stop;{source}"));
        match outcome {
            Err(rquickjs::Error::Exception) if is_stop(&ctx, &stop) => {
                Ok(Classes { login: declares(&ctx, LOGIN_CLASS), validation: declares(&ctx, VALIDATION_CLASS) })
            }
            Err(error) => Err(uncompiled(&ctx, &error, &redactor)),
            Ok(_) => Err(ScriptError::Engine("the check of a script ran it".to_owned())),
        }
    })
}

/// Whether the exception is the one from the first statement; any other is put back.
fn is_stop<'js>(ctx: &Ctx<'js>, stop: &Object<'js>) -> bool {
    let exception = ctx.catch();
    let is_stop = exception.as_object() == Some(stop);
    if !is_stop {
        let _ = ctx.throw(exception);
    }
    is_stop
}

/// A declared class that was not reached yet exists and may not be touched, which is an error; `var` and `function`
/// exist as properties; anything else is not declared.
fn declares(ctx: &Ctx<'_>, name: &str) -> bool {
    let touched = ctx.eval::<(), _>(format!("typeof {name}")).is_err();
    drop(ctx.catch());
    touched || ctx.globals().contains_key(name).unwrap_or(false)
}
