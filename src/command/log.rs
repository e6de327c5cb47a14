//! Where log lines go, and how they look.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use uitsmijter::settings::{Log, LogFormat, LogLevel};

/// For commands that answer on standard output: errors alone, so that a script or a table stays readable.
pub(crate) fn begin_quiet(log: &Log) -> anyhow::Result<()> {
    begin(&Log { level: LogLevel::Error, ..*log })
}

/// Begins to log to standard error. The level is for our own lines; libraries speak up from `warn` on, because some of
/// them would otherwise log headers and bodies, which carry tokens.
pub(crate) fn begin(log: &Log) -> anyhow::Result<()> {
    let own: Directive = format!("uitsmijter={}", log.level.tracing()).parse()?;
    let filter = EnvFilter::new("warn").add_directive(own);
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Console => registry
            .with(
                fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_target(false),
            )
            .try_init()?,
        LogFormat::Ndjson => {
            let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
            registry.with(lines.with_writer(std::io::stderr)).try_init()?;
        }
    }
    Ok(())
}
