//! Where log lines go.

use std::io::IsTerminal;

use tracing_subscriber::util::SubscriberInitExt;
use uitsmijter::settings::Log;

/// Begins to log to standard error.
pub(crate) fn begin(log: &Log) -> anyhow::Result<()> {
    Ok(uitsmijter::log::dispatch(log, std::io::stderr, std::io::stderr().is_terminal())?.try_init()?)
}
