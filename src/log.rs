//! What is logged, how lines look, and how the level changes while the server runs.

use anyhow::Result;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::settings::{Log, LogFormat, LogLevel};
use crate::telemetry::Telemetry;

/// Libraries log from `warn` on, because some would log headers and bodies, which carry tokens. OpenTelemetry would log
/// every failed batch, and Kubernetes' client every failed connection; our own code logs such outages once.
const LIBRARIES: &str = "warn,opentelemetry=off,kube_client=off,kube_runtime=off";
/// Lines for a collector leave out what sending them could cause.
const LIBRARIES_TO_SEND: &str =
    "warn,opentelemetry=off,kube_client=off,kube_runtime=off,hyper=off,h2=off,reqwest=off,rustls=off,tower=off";

/// Changes the level of a running log.
pub struct Volume(Vec<(Handle<EnvFilter, Registry>, &'static str)>);

impl Volume {
    /// From here on lines of this level and above are written.
    pub fn set(&self, level: LogLevel) -> Result<()> {
        self.0.iter().try_for_each(|(handle, libraries)| Ok(handle.reload(filter(level, libraries)?)?))
    }
}

/// Writes lines to `writer`, with colours if it is a terminal (`ansi`), and has them and spans sent where there is
/// `telemetry`. The level is for our own lines.
pub fn dispatch<W>(log: &Log, writer: W, ansi: bool, telemetry: Option<&Telemetry>) -> Result<(Dispatch, Volume)>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (own, volume) = reload::Layer::new(filter(log.level, LIBRARIES)?);
    let Some(telemetry) = telemetry else {
        let dispatch = tracing_subscriber::registry().with(own).with(lines(log, writer, ansi)).into();
        return Ok((dispatch, Volume(vec![(volume, LIBRARIES)])));
    };
    // Each with a filter of its own: what is traced does not depend on what is logged.
    let (sent, sent_volume) = reload::Layer::new(filter(log.level, LIBRARIES_TO_SEND)?);
    let mut layers = telemetry.layers(sent);
    layers.push(lines(log, writer, ansi).with_filter(own).boxed());
    let dispatch = tracing_subscriber::registry().with(layers).into();
    Ok((dispatch, Volume(vec![(volume, LIBRARIES), (sent_volume, LIBRARIES_TO_SEND)])))
}

fn filter(level: LogLevel, libraries: &str) -> Result<EnvFilter> {
    let own: Directive = format!("uitsmijter={}", level.tracing()).parse()?;
    // The level does not turn audit lines off: they are needed later.
    let audit: Directive = "uitsmijter::audit=info".parse()?;
    Ok(EnvFilter::try_new(libraries)?.add_directive(own).add_directive(audit))
}

fn lines<S, W>(log: &Log, writer: W, ansi: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    match log.format {
        LogFormat::Console => fmt::layer().with_writer(writer).with_ansi(ansi).with_target(false).boxed(),
        LogFormat::Ndjson => {
            let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
            lines.with_writer(writer).boxed()
        }
    }
}
