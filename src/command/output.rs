//! What a command says: collected, because a server may carry the command out for somebody else's terminal.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;
use uitsmijter::server::admin::Answer;

/// What a command has said so far.
#[derive(Default)]
pub(crate) struct Output {
    out: String,
    errors: String,
}

impl Output {
    /// A line for standard output.
    pub(super) fn line(&mut self, text: impl Display) {
        self.out += &format!("{text}\n");
    }

    /// Text for standard output that ends its lines itself.
    pub(super) fn text(&mut self, text: &str) {
        self.out += text;
    }

    /// A line for standard error.
    pub(super) fn error(&mut self, text: impl Display) {
        self.errors += &format!("{text}\n");
    }

    /// A value for scripts.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.line(serde_json::to_string_pretty(value)?);
        Ok(())
    }

    /// All of it, and how the command ended.
    pub(super) fn answer(mut self, outcome: Result<()>) -> Answer {
        let failed = outcome.is_err();
        if let Err(error) = outcome {
            self.error(format!("uitsmijter: {error:#}"));
        }
        Answer { code: u8::from(failed), out: self.out, errors: self.errors }
    }
}

/// Prints what a command said, here or in a server; answers its exit code.
pub(super) fn print(answer: &Answer) -> Result<ExitCode> {
    eprint!("{}", answer.errors);
    // A reader that has closed the pipe, such as `head`, is an error to report and not a panic.
    write!(std::io::stdout(), "{}", answer.out).context("standard output was closed")?;
    Ok(ExitCode::from(answer.code))
}
