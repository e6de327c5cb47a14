//! Where log lines go.

use std::io::IsTerminal;

use tracing_subscriber::util::SubscriberInitExt;
use uitsmijter::log::Volume;
use uitsmijter::settings::{Log, LogLevel};
use uitsmijter::telemetry::Telemetry;

/// For commands that answer on standard output: only errors, so that a script or a table stays readable.
pub(crate) fn begin_quiet(log: &Log) -> anyhow::Result<()> {
    begin(&Log { level: LogLevel::Error, ..*log }, None).map(drop)
}

/// Starts logging to standard error, and to a collector if there is one.
pub(crate) fn begin(log: &Log, telemetry: Option<&Telemetry>) -> anyhow::Result<Volume> {
    let ansi = std::io::stderr().is_terminal();
    let (dispatch, volume) = uitsmijter::log::dispatch(log, std::io::stderr, ansi, telemetry)?;
    dispatch.try_init()?;
    Ok(volume)
}
