//! Keeps up with one kind of resource: list, watch, and again, never faster than the API server can bear.

use std::pin::pin;
use std::time::Duration;

use anyhow::Chain;
use futures_util::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Error};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::news::News;
use super::object::{GROUP, Object, VERSION, plural};
use crate::registry::document::Kind;

/// Objects per page of a list.
const PAGE: u32 = 1000;
/// The pause after an error; each that follows is twice as long, up to [`LONGEST`]. Shorter than elsewhere, because an
/// operator waits who restarts an API server and then changes a tenant.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(15);
/// After so long without an error, the first pause is the shortest again.
const CALM: Duration = Duration::from_secs(120);

/// How long to wait after the next error. A success in between does not count: lists that work while watches do not are
/// no reason to hurry.
struct Patience {
    pause: Duration,
    last: Instant,
}

impl Patience {
    fn new() -> Self {
        Self { pause: SHORTEST, last: Instant::now() }
    }
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.last.elapsed() > CALM {
            self.pause = SHORTEST;
        }
        self.last = Instant::now();
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        Some(pause)
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {}
}

/// Sends what happens to all resources of a kind until the receiver is gone. Lists and watches that fail are counted.
pub(super) async fn follow(api: Api<Object>, kind: Kind, news: mpsc::Sender<News>, failures: Counter) {
    let mut patience = Patience::new();
    while !news.is_closed() {
        follow_until_gone(api.clone(), kind, &news, &failures).await;
        sleep(patience.next().unwrap_or(LONGEST)).await;
    }
}

/// The watcher reconnects, waits longer after each error, and lists again where the stream says that it fell behind.
/// What it does not know is a watch that is refused with 410 before it begins: then this ends.
async fn follow_until_gone(api: Api<Object>, kind: Kind, news: &mpsc::Sender<News>, failures: &Counter) {
    let mut events = pin!(watcher(api, watcher::Config::default().page_size(PAGE)).backoff(Patience::new()));
    let mut listing = Vec::new();
    let mut is_away = false;
    while let Some(event) = events.next().await {
        let told = match event {
            Ok(Event::Init) => {
                listing.clear();
                continue;
            }
            Ok(Event::InitApply(object)) => {
                listing.push(object);
                continue;
            }
            Ok(Event::InitDone) => News::Listed(kind, std::mem::take(&mut listing)),
            Ok(Event::Apply(object)) => News::Changed(kind, object),
            Ok(Event::Delete(object)) => News::Gone(kind, object),
            Err(error) => {
                failures.inc();
                let reason = watch_reason(kind, &error);
                if !std::mem::replace(&mut is_away, true) {
                    tracing::warn!("{reason}; what was read last is served meanwhile, and it is tried again");
                }
                if news.send(News::Away(kind, reason)).await.is_err() || is_gone(&error) {
                    return;
                }
                continue;
            }
        };
        if std::mem::take(&mut is_away) {
            tracing::info!("{} are read again", plural(kind));
        }
        if news.send(told).await.is_err() {
            return;
        }
    }
}

fn is_gone(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(Error::Api(status)) if status.code == 410)
}

fn watch_reason(kind: Kind, error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => reason(kind, error),
        watcher::Error::WatchError(status) => {
            let plural = plural(kind);
            format!("the API server ended the watch of {plural} with {}: {}", status.code, status.message)
        }
        watcher::Error::NoResourceVersion => format!("the list of {} has no version", plural(kind)),
    }
}

/// Why a kind cannot be read, as a sentence that says what to do.
pub(super) fn reason(kind: Kind, error: &Error) -> String {
    let plural = plural(kind);
    match error {
        Error::Api(status) if status.code == 404 => format!(
            "the cluster does not know {plural}.{GROUP} {VERSION}; install it: uitsmijter crds | kubectl apply -f -"
        ),
        Error::Api(status) if matches!(status.code, 401 | 403) => format!(
            "the API server does not let us list and watch {plural}.{GROUP} ({}); give the service account the right",
            status.code
        ),
        Error::Api(status) => format!("the API server answers {} when asked for {plural}", status.code),
        Error::SerdeError(error) => format!("the API server's list of {plural} cannot be read: {error}"),
        other => format!("the API server cannot be asked for {plural}: {}", innermost(other)),
    }
}

/// The last cause in the chain, which names what happened; those around it only say where.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    Chain::new(error).last().map(ToString::to_string).unwrap_or_default()
}
