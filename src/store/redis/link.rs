//! The shared connection to Redis, watched and replaced in the background.
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

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult};
use anyhow::{Result, anyhow};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::dial::{self, Dialer, Target};
use super::fate::{Fate, QueryError};
use super::keeper::{Doubts, Keeper, State};
use crate::protocol::error::Unavailable;

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

/// The shared handle.
pub(super) enum Link {
    /// One server: its connection is ours to keep.
    Kept { state: watch::Receiver<State>, doubts: Arc<Doubts>, response_timeout: Duration },
    /// A cluster: the crate keeps a connection to each node.
    Cluster(ClusterConnection),
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
        let doubts = Arc::<Doubts>::default();
        let keeper = Keeper { dialer, name, response_timeout, publish, doubts: Arc::clone(&doubts) };
        tokio::spawn(keeper.run());
        Self::Kept { state, doubts, response_timeout }
    }

    /// Sends `command` and repeats it where that is safe.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd, effect: Effect) -> Result<T, QueryError> {
        let mut repeated = false;
        loop {
            let (outcome, generation) = self.attempt(command).await?;
            let error = match outcome {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let fate = Fate::of(&error);
            self.report(generation, fate);
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
            }
        }
    }

    /// One attempt, on a connection that is not known to be dead; answers its number too.
    async fn attempt<T: FromRedisValue>(&self, command: &Cmd) -> Result<(RedisResult<T>, u64), QueryError> {
        match self {
            Self::Cluster(connection) => Ok((command.query_async(&mut connection.clone()).await, 0)),
            Self::Kept { state, doubts, response_timeout } => {
                let mut state = state.clone();
                let settled = state.wait_for(|state| match state {
                    State::Up(_, generation) => *generation > doubts.dead(),
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

    fn report(&self, generation: u64, fate: Fate) {
        let Self::Kept { doubts, .. } = self else { return };
        match fate {
            Fate::Demoted | Fate::Lost => doubts.give_up(generation),
            Fate::TimedOut => doubts.suspect(),
            Fate::Refused | Fate::Overloaded | Fate::Wrong => {}
        }
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
