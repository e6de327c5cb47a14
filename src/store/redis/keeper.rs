//! Keeps the connection to one server: checks it once a second, and replaces it in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::dial::Dialer;

/// Interval between two checks of the connection.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The first and the longest pause between two attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The state of the connection; connections are numbered.
#[derive(Clone)]
pub(super) enum State {
    Up(MultiplexedConnection, u64),
    /// Lost a moment ago; the first attempt to connect again is running.
    Wavering,
    Down,
}

/// What users of the connection report to its keeper.
#[derive(Default)]
pub(super) struct Doubts {
    /// The highest number of a dead connection.
    dead: AtomicU64,
    news: Notify,
}

impl Doubts {
    /// The connection has not answered in time: it should be asked.
    pub(super) fn suspect(&self) {
        self.news.notify_one();
    }

    /// The connection with this number is closed, or leads to a server that is no master any more.
    pub(super) fn give_up(&self, generation: u64) {
        self.dead.fetch_max(generation, Ordering::AcqRel);
        self.news.notify_one();
    }

    /// Only connections with a higher number are worth using.
    pub(super) fn dead(&self) -> u64 {
        self.dead.load(Ordering::Acquire)
    }
}

/// Runs until its users are gone.
pub(super) struct Keeper {
    pub(super) dialer: Dialer,
    /// What it keeps, for the log.
    pub(super) name: String,
    pub(super) response_timeout: Duration,
    pub(super) publish: watch::Sender<State>,
    pub(super) doubts: Arc<Doubts>,
}

impl Keeper {
    pub(super) async fn run(mut self) {
        for generation in 1.. {
            self.watch_over(generation).await;
            if self.publish.is_closed() {
                return;
            }
            self.publish.send_replace(State::Wavering);
            let Some(connection) = self.dial_until_up().await else { return };
            self.publish.send_replace(State::Up(connection, generation + 1));
        }
    }

    /// Returns when the connection is dead or has no users any more.
    async fn watch_over(&mut self, generation: u64) {
        let State::Up(mut connection, _) = self.publish.borrow().clone() else { return };
        loop {
            tokio::select! {
                () = self.publish.closed() => return,
                () = sleep(HEARTBEAT) => if self.dialer.has_moved().await {
                    tracing::info!("{} has moved", self.name);
                    return;
                },
                () = self.doubts.news.notified() => if self.doubts.dead() >= generation {
                    return;
                },
            }
            if let Err(error) = ::redis::cmd("PING").exec_async(&mut connection).await {
                tracing::debug!(%error, "the connection to {} does not answer", self.name);
                return;
            }
        }
    }

    async fn dial_until_up(&mut self) -> Option<MultiplexedConnection> {
        let (mut pause, longest) = PAUSES;
        let mut reported = false;
        loop {
            match self.dialer.dial(self.response_timeout).await {
                Ok(connection) => {
                    tracing::info!("connected to {} again", self.name);
                    return Some(connection);
                }
                Err(error) if !reported => tracing::warn!(%error, "{} is away", self.name),
                Err(error) => tracing::debug!(%error, "{} is still away", self.name),
            }
            reported = true;
            self.publish.send_replace(State::Down);
            tokio::select! {
                () = self.publish.closed() => return None,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(longest);
        }
    }
}
