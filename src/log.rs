//! What is logged, and how lines look.

use anyhow::Result;
use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;

use crate::settings::{Log, LogFormat};

/// Writes lines to `writer`, with colours if it is a terminal (`ansi`). The level is for our own lines; libraries speak
/// up from `warn` on, because some of them would otherwise log headers and bodies, which carry tokens.
pub fn dispatch<W>(log: &Log, writer: W, ansi: bool) -> Result<Dispatch>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let own: Directive = format!("uitsmijter={}", log.level.tracing()).parse()?;
    // Audit lines are not turned off by the level: whoever looks for them looks later.
    let audit: Directive = "uitsmijter::audit=info".parse()?;
    // Kubernetes' client calls every failed connection an error; what follows from one is told by whoever asked.
    let filter = EnvFilter::new("warn,kube_client=off,kube_runtime=off").add_directive(own).add_directive(audit);
    let registry = tracing_subscriber::registry().with(filter);
    Ok(match log.format {
        LogFormat::Console => registry.with(fmt::layer().with_writer(writer).with_ansi(ansi).with_target(false)).into(),
        LogFormat::Ndjson => {
            let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
            registry.with(lines.with_writer(writer)).into()
        }
    })
}
