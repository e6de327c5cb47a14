//! Why a script gave no answer. Every one of these means "cannot log in".

use std::fmt;
use std::time::Duration;

use rquickjs::{Ctx, Error, Value};
use serde::{Deserialize, Serialize};

use super::redactor::Redactor;

/// Longest message that is kept of an exception, in characters.
const MESSAGE: usize = 512;

/// Why a script gave no answer. Messages of scripts are kept without the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptError {
    /// The source is not JavaScript.
    Syntax {
        /// The line of the joined source, counted from 1, where known.
        line: Option<u32>,
        /// What the parser says.
        message: String,
    },
    /// The script threw, or left a rejection unhandled.
    Exception(String),
    /// The script threw, or left a rejection unhandled, that says of itself that nobody could be asked (`unavailable`),
    /// as those of `fetch` do when the backend is away.
    Unavailable(String),
    /// No answer within this time.
    Timeout(Duration),
    /// The script computed for this long without waiting for anything.
    Busy(Duration),
    /// The script wanted more memory than it may have.
    OutOfMemory,
    /// The source does not define this class.
    MissingClass(String),
    /// The script ended, and nothing is left that could still call `commit`.
    NeverCommitted,
    /// The answer is of a shape that cannot be used; says which.
    BadAnswer(String),
    /// Too many scripts run, or hold too much memory.
    PoolExhausted,
    /// Scripts of this tenant had to be stopped, and none runs before this time has passed.
    Paused(Duration),
    /// The engine itself failed.
    Engine(String),
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line: Some(line), message } => write!(f, "syntax error in line {line}: {message}"),
            Self::Syntax { line: None, message } => write!(f, "syntax error: {message}"),
            Self::Exception(message) => write!(f, "exception: {message}"),
            Self::Unavailable(message) => write!(f, "nobody could be asked: {message}"),
            Self::Timeout(limit) => write!(f, "timeout: no answer within {limit:?}"),
            Self::Busy(limit) => write!(f, "timeout: computed for {limit:?} without a pause"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::MissingClass(class) => write!(f, "the class {class} is missing"),
            Self::NeverCommitted => f.write_str("the script ended without calling commit"),
            Self::BadAnswer(what) => write!(f, "unusable answer: {what}"),
            Self::PoolExhausted => f.write_str("too many login scripts are running, or hold too much memory"),
            Self::Paused(left) => {
                write!(f, "scripts of this tenant had to be stopped; the next one runs in {} s", left.as_secs() + 1)
            }
            Self::Engine(message) => write!(f, "script engine: {message}"),
        }
    }
}

impl std::error::Error for ScriptError {}

impl ScriptError {
    /// Whether nobody could say yes or no, for a reason that may pass. An exception is none: of a script that does not
    /// look after its `fetch`, the exception is the word for a wrong password.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::PoolExhausted | Self::Paused(_) | Self::Timeout(_) | Self::Busy(_) | Self::Unavailable(_))
    }

    /// Whether the script used up the time that it may take.
    pub fn is_out_of_time(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Busy(_))
    }
}

/// Turns what the engine answered, and the exception that it may hold, into the error to report.
pub(super) fn caught(ctx: &Ctx<'_>, error: &Error, redactor: &Redactor) -> ScriptError {
    match error {
        Error::Allocation => ScriptError::OutOfMemory,
        // A conversion that ran out of memory says so only by the exception which it left behind.
        Error::Exception | Error::Unknown if ctx.has_exception() => thrown(&ctx.catch(), redactor),
        // The engine could not even allocate the exception.
        Error::Exception => ScriptError::OutOfMemory,
        other => ScriptError::Engine(redactor.redact(&other.to_string(), MESSAGE)),
    }
}

/// The error for a value that was thrown or with which a promise was rejected.
pub(super) fn thrown(value: &Value<'_>, redactor: &Redactor) -> ScriptError {
    let Some(exception) = value.as_exception() else {
        // Only the engine throws null, when there is no memory left for more.
        if value.is_null() {
            return ScriptError::OutOfMemory;
        }
        return ScriptError::Exception(redactor.redact(&plain(value), MESSAGE));
    };
    let name = exception.as_object().get::<_, String>("name").unwrap_or_else(|_| "Error".to_owned());
    let mut message = exception.message().unwrap_or_default();
    if message == "out of memory" {
        return ScriptError::OutOfMemory;
    }
    // While a script runs, this is about data (JSON.parse): the message quotes a piece of it, maybe of the password.
    if name == "SyntaxError" {
        message.truncate(message.find(':').unwrap_or(message.len()));
    }
    let line = exception.stack().as_deref().and_then(line_of);
    let unavailable = exception.as_object().get::<_, Value>("unavailable").is_ok_and(|it| it.as_bool() == Some(true));
    // Getters of a strange exception may have thrown in turn; nobody wants to hear of that.
    drop(value.ctx().catch());
    let text = match line {
        Some(line) => format!("{name}: {message} (line {line})"),
        None => format!("{name}: {message}"),
    };
    let text = redactor.redact(&text, MESSAGE);
    if unavailable { ScriptError::Unavailable(text) } else { ScriptError::Exception(text) }
}

/// The same for a compilation: there, an error of this name is about the source.
pub(super) fn uncompiled(ctx: &Ctx<'_>, error: &Error, redactor: &Redactor) -> ScriptError {
    if !matches!(error, Error::Exception) || !ctx.has_exception() {
        return caught(ctx, error, redactor);
    }
    let value = ctx.catch();
    match value.as_exception() {
        Some(exception) if exception.as_object().get::<_, String>("name").is_ok_and(|name| name == "SyntaxError") => {
            ScriptError::Syntax {
                line: exception.stack().as_deref().and_then(line_of),
                message: redactor.redact(&exception.message().unwrap_or_default(), MESSAGE),
            }
        }
        _ => thrown(&value, redactor),
    }
}

/// The file name under which a tenant's source is compiled; frames of the prelude bear another.
pub(super) const SOURCE_NAME: &str = "providers";

/// The line of the first frame that lies in the tenant's source.
fn line_of(stack: &str) -> Option<u32> {
    let (_, rest) = stack.split_once(&format!("{SOURCE_NAME}:"))?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn plain(value: &Value<'_>) -> String {
    if let Some(text) = value.as_string() {
        return text.to_string().unwrap_or_default();
    }
    match value.ctx().json_stringify(value.clone()) {
        Ok(Some(json)) => json.to_string().unwrap_or_default(),
        _ => {
            drop(value.ctx().catch());
            format!("a thrown {}", value.type_name())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_first_one_in_the_tenants_source() {
        let stack = "    at fetch (prelude:3:4)\n    at <anonymous> (providers:17:5)\n    at <eval> (providers:2:1)";
        assert_eq!(line_of(stack), Some(17));
        assert_eq!(line_of("    at fetch (prelude:3:4)"), None);
    }
}
