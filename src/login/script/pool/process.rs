//! One process that runs scripts, and the task that attends to it: it passes orders and words on, and ends the process
//! when a turn takes longer than it may.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::process::{Pid, setpriority_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::floor::Floor;
use super::job::{Event, Job, Process, Turn};
use crate::login::script::error::ScriptError;
use crate::login::script::wire::{self, Order, Word};
use crate::login::script::worker::WORKER;

/// How long a process without work is kept.
const IDLE: Duration = Duration::from_secs(60);
/// So much later than the engine itself a turn is ended from outside.
const GRACE: Duration = Duration::from_millis(250);
/// The priority of what must not get in the way. Not the lowest: on a machine that is busy with other things, that would
/// be none at all.
const LOW: i32 = 15;

/// Starts `program` as the process of `desk`, attended to by a task.
pub(super) fn start(program: &Path, floor: &Arc<Floor>, desk: u64, patience: Duration) -> std::io::Result<Process> {
    // Secrets of the server are in its environment. What a process says at its end may hold those of a person.
    let mut child = Command::new(program)
        .arg(WORKER)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(orders), Some(words)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("the process has no pipes"));
    };
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let attendant = Attendant {
        floor: Arc::downgrade(floor),
        desk,
        id,
        orders,
        words: Words { pipe: words, bytes: Vec::new() },
        patience,
        computed: Duration::ZERO,
        is_slow: false,
        is_computing: false,
    };
    let (jobs, to_do) = mpsc::unbounded_channel();
    let stop = Arc::new(Notify::new());
    tokio::spawn(attend(attendant, child, to_do, Arc::clone(&stop)));
    Ok(Process { jobs, stop })
}

async fn attend(mut attendant: Attendant, mut child: Child, to_do: mpsc::UnboundedReceiver<Job>, stop: Arc<Notify>) {
    let was_bad = tokio::select! {
        end = attendant.serve(to_do) => end.is_err(),
        // A process that was slow once and only rests is ended for its memory, which nobody is to blame for.
        () = stop.notified() => attendant.is_slow && attendant.is_computing,
    };
    if let Some(floor) = attendant.floor.upgrade() {
        floor.gone(attendant.desk, was_bad);
    }
    drop(attendant);
    drop(child.start_kill());
    drop(child.wait().await);
}

struct Attendant {
    floor: Weak<Floor>,
    desk: u64,
    id: Option<Pid>,
    orders: ChildStdin,
    words: Words,
    patience: Duration,
    /// What the process has computed, as it said last.
    computed: Duration,
    is_slow: bool,
    /// Whether a turn is under way.
    is_computing: bool,
}

/// Why a process cannot go on.
struct Broken;

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Attendant {
    /// Does what there is to do, until nobody wants anything any more.
    ///
    /// Errors: the process broke, or was stuck.
    async fn serve(&mut self, mut to_do: mpsc::UnboundedReceiver<Job>) -> Result<(), Broken> {
        loop {
            match timeout(IDLE, to_do.recv()).await {
                Ok(Some(Job::Turn(turn))) => self.turn(turn).await?,
                Ok(Some(Job::Forget(run))) => self.orders.write_all(&wire::frame(&Order::Forget { run })?).await?,
                Ok(None) => return Ok(()),
                Err(_) if self.floor.upgrade().is_none_or(|floor| floor.retires(self.desk)) => return Ok(()),
                Err(_) => {}
            }
        }
    }

    async fn turn(&mut self, turn: Turn) -> Result<(), Broken> {
        if turn.is_heavy {
            self.slow();
        }
        self.is_computing = true;
        let until = Instant::now() + turn.time.left + GRACE;
        let outcome = match timeout_at(until, self.orders.write_all(&turn.order)).await {
            Ok(Ok(())) => self.listen(&turn, until).await,
            Ok(Err(_)) => Err(ScriptError::OutOfMemory),
            Err(_) => Err(ScriptError::Timeout(turn.time.timeout)),
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(error) => {
                // Whoever asked may have left.
                drop(turn.heard.try_send(Event::Lost(error)));
                Err(Broken)
            }
        }
    }

    /// Passes on what the process says, until its turn is over.
    async fn listen(&mut self, turn: &Turn, until: Instant) -> Result<(), ScriptError> {
        let began = Instant::now();
        let late = || ScriptError::Timeout(turn.time.timeout);
        let mut look = began + self.patience;
        loop {
            let event = tokio::select! {
                word = self.words.next() => word.map_err(|_| ScriptError::OutOfMemory)?,
                () = sleep_until(look) => {
                    let computed = self.has_computed().unwrap_or_else(|| began.elapsed());
                    if computed >= self.patience {
                        self.slow();
                    }
                    if computed >= turn.time.busy + GRACE {
                        return Err(ScriptError::Busy(turn.time.busy));
                    }
                    look = Instant::now() + self.patience;
                    continue;
                }
                () = sleep_until(until) => return Err(late()),
            };
            let event = match event {
                Word::Need { bytes } => {
                    let granted = self.ask(turn, bytes).await;
                    let granted = wire::frame(&Order::Granted(granted)).map_err(|_| ScriptError::OutOfMemory)?;
                    self.orders.write_all(&granted).await.map_err(|_| ScriptError::OutOfMemory)?;
                    continue;
                }
                Word::Over(over) => {
                    self.is_computing = false;
                    self.computed = over.computed;
                    if let Some(floor) = self.floor.upgrade() {
                        floor.turn_over(self.desk, &over);
                    }
                    drop(timeout_at(until, turn.heard.send(Event::Over(over))).await);
                    return Ok(());
                }
                word => Event::Said(word),
            };
            if timeout_at(until, turn.heard.send(event)).await.is_err() {
                return Err(late());
            }
        }
    }

    async fn ask(&self, turn: &Turn, bytes: u64) -> bool {
        let (reply, granted) = oneshot::channel();
        turn.heard.send(Event::Need(bytes, reply)).await.is_ok() && granted.await.unwrap_or(false)
    }

    /// From here on the process has a low priority.
    fn slow(&mut self) {
        if self.is_slow {
            return;
        }
        self.is_slow = true;
        if let Err(error) = setpriority_process(self.id, LOW) {
            tracing::debug!(%error, "the priority of a login script cannot be lowered");
        }
        if let Some(floor) = self.floor.upgrade() {
            floor.slow(self.desk);
        }
    }

    /// What this turn has computed so far, where the system tells. Not the time that has passed: on a busy machine
    /// everybody waits.
    fn has_computed(&self) -> Option<Duration> {
        let path = self.id.map(|id| format!("/proc/{}/schedstat", id.as_raw_nonzero()));
        let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let nanoseconds = text.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds).saturating_sub(self.computed))
    }
}

/// The words of a process, whole ones.
struct Words {
    pipe: ChildStdout,
    bytes: Vec<u8>,
}

impl Words {
    /// The next word. Nothing is lost when nobody waits for it any more.
    async fn next(&mut self) -> std::io::Result<Word> {
        loop {
            if let Some(start) = self.bytes.first_chunk::<4>() {
                let end = 4 + wire::length(*start)?;
                if self.bytes.len() >= end {
                    let word = wire::read(&self.bytes[4..end])?;
                    self.bytes.drain(..end);
                    return Ok(word);
                }
            }
            if self.pipe.read_buf(&mut self.bytes).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
