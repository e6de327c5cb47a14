//! What the server and the processes that run scripts say to each other: a length, and that many bytes of JSON.
//!
//! The server orders one turn of one run at a time, and the process answers with what the script asks for meanwhile, and at
//! last with how the turn ended.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::answer::Answer;
use super::error::ScriptError;
use super::question::Question;

/// Most bytes of one message. The biggest are the body of a request or an answer with every character escaped.
const MOST: usize = 8 << 20;

/// What the server orders.
#[derive(Serialize, Deserialize)]
pub(super) enum Order<'a> {
    /// The first turn of a run.
    Begin { run: u64, source: Cow<'a, str>, question: Cow<'a, Question>, time: Allowance },
    /// The next turn: something that the script waited for is there.
    Arrive { run: u64, arrival: Arrival, time: Allowance },
    /// Nobody waits for this run any more.
    Forget { run: u64 },
    /// The answer to [`Word::Need`].
    Granted(bool),
}

/// How long a turn may compute.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Allowance {
    /// Processor time without a pause.
    pub(super) busy: Duration,
    /// Until the run's time is over.
    pub(super) left: Duration,
    /// The whole time of a run, for the error that names it.
    pub(super) timeout: Duration,
}

/// What the process says, in the middle of a turn and at its end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// The script logs a line.
    Line(Line),
    /// The script asks another server.
    Fetch { id: u32, request: Request },
    /// The script wants to be woken.
    Timer { id: u32, delay: Duration },
    /// The script does not want to be woken any more.
    NoTimer { id: u32 },
    /// So many bytes are needed for the time of one computation. The process waits for [`Order::Granted`].
    Need { bytes: u64 },
    /// The turn is over.
    Over(Over),
}

/// The end of a turn.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Over {
    /// The answer or why there is none; `None` if the script waits.
    pub(super) outcome: Option<Result<Answer, ScriptError>>,
    /// Whether the script was stopped because it computed for too long.
    pub(super) was_stopped: bool,
    /// Bytes that the process holds by now.
    pub(super) held: u64,
    /// What the process has computed in its life.
    pub(super) computed: Duration,
}

/// A line for the log. The password is not in it any more.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Line {
    Info(String),
    Error(String),
    /// There were more lines than a run may log.
    TooMany,
    /// The committed subject cannot be used; says what it is.
    Subject(String),
}

/// Something that a script waited for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Arrival {
    Timer(u32),
    Fetch(u32, Result<Response, Failure>),
}

/// The request of a script.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) url: String,
    pub(super) method: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
}

/// A response of the class 2xx.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Response {
    pub(super) code: u16,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// Why the promise rejects.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) message: String,
    /// The status of a response that was complete but not of the class 2xx, and its body.
    pub(super) answer: Option<(u16, String)>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), answer: None }
    }
}

/// A message with its length before it. It may hold a password, so it is wiped.
pub(super) fn frame(message: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; 4]);
    serde_json::to_writer(&mut *bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// How many bytes follow the first four of a message.
pub(super) fn length(start: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(start) as usize;
    if length > MOST { Err(io::Error::other("the message is too long")) } else { Ok(length) }
}

/// The message in these bytes.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(bytes)?)
}

/// The next message; `None` when the other side is gone.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut start = [0; 4];
    match from.read_exact(&mut start) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut bytes = Zeroizing::new(vec![0; length(start)?]);
    from.read_exact(&mut bytes)?;
    read(&bytes).map(Some)
}

/// Sends a message.
pub(super) fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame(message)?)
}
