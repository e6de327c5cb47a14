//! The way to Redis: one connection that everyone shares, watched and replaced in the background.
//!
//! While Redis is known to be away, a command fails at once. What is repeated, and what is not:
//!
//! - A command that Redis has refused (a replica, a server that is loading, a slot that has moved) was not carried
//!   out. It is repeated once, whatever it is.
//! - A read that lost its connection is repeated once.
//! - A change that lost its connection may or may not have been carried out. It is never repeated: a second `consume`
//!   would count the same use twice and make a thief of an honest client. The caller hears that the store is
//!   unavailable; if the change did happen, it is as if the caller's answer had been lost on its way.
//! - Nothing is repeated after a timeout, because the caller has waited long enough.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind};
use anyhow::{Result, anyhow};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::dial::{self, Dialer, Target};
use crate::protocol::error::Unavailable;

/// How often an idle connection is asked whether it still stands.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The first and the longest pause between two attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long Redis may take to come up when this process starts.
const PATIENCE_AT_START: Duration = Duration::from_secs(5);
/// The pause before a cluster is asked again.
const REROUTE: Duration = Duration::from_millis(50);

/// Whether a command changes anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Read,
    Change,
}

/// What an error says about the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Not carried out, and another server (or the same one, later) would have.
    Refused,
    /// Refused because this server is no master any more.
    Demoted,
    /// Not carried out, and trying again at once is pointless.
    Overloaded,
    /// Perhaps carried out.
    Lost,
    /// Perhaps carried out, or still being so.
    TimedOut,
    /// Our mistake: the command itself is wrong.
    Wrong,
}

/// The shared handle.
pub(super) enum Link {
    /// One server: its connection is ours to keep.
    Kept { state: watch::Receiver<State>, suspicions: mpsc::Sender<Suspicion>, response_timeout: Duration },
    /// A cluster: the crate keeps a connection to each node.
    Cluster(ClusterConnection),
}

#[derive(Clone)]
pub(super) enum State {
    Up(MultiplexedConnection, u64),
    /// Lost a moment ago; the first attempt to connect again is running.
    Wavering,
    Down,
}

/// A user of the connection with this number has reason to believe that it is dead.
pub(super) struct Suspicion {
    generation: u64,
    certain: bool,
}

impl Link {
    /// Connects, with a few seconds of patience, and keeps the connection until the link is dropped.
    pub(super) async fn open(target: Target, name: String, response_timeout: Duration) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE_AT_START;
        match target {
            Target::Cluster(client) => loop {
                match dial::dial_cluster(&client).await {
                    Ok(connection) => return Ok(Self::Cluster(connection)),
                    Err(error) => wait_or_give_up(error, &name, deadline).await?,
                }
            },
            Target::Kept(mut dialer) => loop {
                match dialer.dial(response_timeout).await {
                    Ok(connection) => return Ok(Self::keep(dialer, connection, name, response_timeout)),
                    Err(error) => wait_or_give_up(error, &name, deadline).await?,
                }
            },
        }
    }

    fn keep(dialer: Dialer, connection: MultiplexedConnection, name: String, response_timeout: Duration) -> Self {
        let (publish, state) = watch::channel(State::Up(connection, 1));
        let (suspicions, suspected) = mpsc::channel(16);
        let keeper = Keeper { dialer, name, response_timeout, publish, suspected };
        tokio::spawn(keeper.run());
        Self::Kept { state, suspicions, response_timeout }
    }

    /// Sends `command` and repeats it where that is safe.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd, effect: Effect) -> Result<T, QueryError> {
        let mut after = 0;
        let mut repeated = false;
        loop {
            let (outcome, generation) = self.attempt(command, after).await?;
            let error = match outcome {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let fate = Fate::of(&error);
            self.suspect(generation, fate);
            let repeatable = match fate {
                Fate::Refused | Fate::Demoted => true,
                Fate::Lost => effect == Effect::Read,
                Fate::Overloaded | Fate::TimedOut | Fate::Wrong => false,
            };
            if repeated || !repeatable {
                return Err(QueryError { error: Some(error), fate });
            }
            repeated = true;
            if matches!(self, Self::Cluster(_)) || fate == Fate::Refused {
                sleep(REROUTE).await;
            } else {
                after = generation;
            }
        }
    }

    /// One attempt, on a connection younger than `after`.
    async fn attempt<T: FromRedisValue>(&self, command: &Cmd, after: u64) -> Result<(RedisResult<T>, u64), QueryError> {
        match self {
            Self::Cluster(connection) => Ok((command.query_async(&mut connection.clone()).await, 0)),
            Self::Kept { state, response_timeout, .. } => {
                let mut state = state.clone();
                let settled = state.wait_for(|state| match state {
                    State::Up(_, generation) => *generation > after,
                    State::Wavering => false,
                    State::Down => true,
                });
                let settled = timeout(*response_timeout, settled).await.ok().and_then(Result::ok);
                let Some(State::Up(mut connection, generation)) = settled.map(|state| state.clone()) else {
                    return Err(QueryError { error: None, fate: Fate::Lost });
                };
                Ok((command.query_async(&mut connection).await, generation))
            }
        }
    }

    /// Whether Redis answers; of a cluster, whether all slots are served.
    pub(super) async fn ping(&self) -> Result<()> {
        let Self::Cluster(_) = self else { return Ok(self.query(&::redis::cmd("PING"), Effect::Read).await?) };
        let state: String = self.query(::redis::cmd("CLUSTER").arg("INFO"), Effect::Read).await?;
        if state.contains("cluster_state:ok") {
            return Ok(());
        }
        Err(anyhow!("a part of the Redis Cluster is down").context(Unavailable("the store")))
    }

    fn suspect(&self, generation: u64, fate: Fate) {
        let certain = match fate {
            Fate::Demoted | Fate::Lost => true,
            Fate::TimedOut => false,
            Fate::Refused | Fate::Overloaded | Fate::Wrong => return,
        };
        if let Self::Kept { suspicions, .. } = self {
            // A full queue already says it.
            drop(suspicions.try_send(Suspicion { generation, certain }));
        }
    }
}

/// Why a command failed; without an error of Redis, there was no connection to send it on.
pub(super) struct QueryError {
    error: Option<RedisError>,
    fate: Fate,
}

impl QueryError {
    /// Whether Redis does not know the script by its name (any more). Nothing was carried out then.
    pub(super) fn unknown_script(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript))
    }
}

impl From<QueryError> for anyhow::Error {
    fn from(QueryError { error, fate }: QueryError) -> Self {
        let error = error.map_or_else(|| anyhow!("there is no connection to Redis"), anyhow::Error::from);
        if fate == Fate::Wrong {
            error.context("Redis refused a command")
        } else {
            error.context(Unavailable("the store"))
        }
    }
}

impl Fate {
    fn of(error: &RedisError) -> Self {
        use ServerErrorKind as Server;
        match error.kind() {
            ErrorKind::Server(Server::ReadOnly) => Self::Demoted,
            ErrorKind::Server(Server::BusyLoading | Server::ClusterDown | Server::MasterDown | Server::TryAgain) => {
                Self::Refused
            }
            ErrorKind::Server(Server::Moved | Server::Ask)
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::MasterNameNotFoundBySentinel => Self::Refused,
            ErrorKind::Server(Server::ResponseError) | ErrorKind::Extension => Self::of_text(&error.to_string()),
            _ if error.is_timeout() => Self::TimedOut,
            ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed => Self::Lost,
            _ => Self::Wrong,
        }
    }

    /// Codes that the crate has no name for; older servers wrap the code of a failed script into a sentence.
    fn of_text(text: &str) -> Self {
        if text.contains("READONLY") {
            return Self::Demoted;
        }
        let overloaded = ["OOM", "MISCONF", "NOREPLICAS", "BUSY", "max number of clients"];
        if overloaded.iter().any(|code| text.contains(code)) { Self::Overloaded } else { Self::Wrong }
    }
}

async fn wait_or_give_up(error: RedisError, name: &str, deadline: Instant) -> Result<()> {
    // A login, a database or a certificate that is refused will not be accepted a second later.
    let hopeless = error.kind() == ErrorKind::AuthenticationFailed
        || Fate::of(&error) == Fate::Wrong
        || error.to_string().contains("invalid peer certificate");
    if hopeless || Instant::now() >= deadline {
        return Err(anyhow::Error::from(error).context(format!("{name} cannot be used as the store")));
    }
    sleep(Duration::from_millis(200)).await;
    Ok(())
}

/// Owns the connection: asks it now and then, and replaces it when it is dead.
struct Keeper {
    dialer: Dialer,
    name: String,
    response_timeout: Duration,
    publish: watch::Sender<State>,
    suspected: mpsc::Receiver<Suspicion>,
}

impl Keeper {
    async fn run(mut self) {
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

    /// Returns when the connection is dead or nobody needs it any more.
    async fn watch_over(&mut self, generation: u64) {
        let State::Up(mut connection, _) = self.publish.borrow().clone() else { return };
        loop {
            tokio::select! {
                () = self.publish.closed() => return,
                () = sleep(HEARTBEAT) => if self.dialer.has_moved().await {
                    tracing::info!("{} has moved", self.name);
                    return;
                },
                Some(suspicion) = self.suspected.recv() => match suspicion {
                    Suspicion { generation: older, .. } if older < generation => continue,
                    Suspicion { certain: true, .. } => return,
                    Suspicion { certain: false, .. } => {}
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
