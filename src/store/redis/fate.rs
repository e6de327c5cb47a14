//! What an error of Redis says about the command that met it.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};
use anyhow::anyhow;

use crate::protocol::error::Unavailable;

/// What an error says about the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
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

/// Why a command failed; without an error of Redis, there was no connection to send it on.
pub(super) struct QueryError {
    pub(super) error: Option<RedisError>,
    pub(super) fate: Fate,
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
    pub(super) fn of(error: &RedisError) -> Self {
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
