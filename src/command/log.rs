//! Where log lines go.

use std::io::IsTerminal;

use tracing_subscriber::util::SubscriberInitExt;
use uitsmijter::settings::{Log, LogLevel};

/// For commands that answer on standard output: errors alone, so that a script or a table stays readable.
pub(crate) fn begin_quiet(log: &Log) -> anyhow::Result<()> {
    begin(&Log { level: LogLevel::Error, ..*log })
}

/// Begins to log to standard error.
pub(crate) fn begin(log: &Log) -> anyhow::Result<()> {
    Ok(uitsmijter::log::dispatch(log, std::io::stderr, std::io::stderr().is_terminal())?.try_init()?)
}
