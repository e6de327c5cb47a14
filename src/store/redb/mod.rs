//! The embedded store in one file, for one process: every acknowledged change is on the disk.
//!
//! A commit costs one sync of the disk and a good deal of work besides. One writer thread gathers all changes that wait
//! and commits them together, so that a busy server pays once where it would otherwise pay a hundred times.
//!
//! After a write that the disk has refused, redb takes no more until the file is opened anew: every change then
//! answers that the store is unavailable, and so does `ping`. A restart verifies the file and goes on from the last
//! commit.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::redb::{Database, DatabaseError, StorageError};
use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use tokio::sync::oneshot;

use super::{Backend, Change, rows};
use crate::clock::Clock;
use crate::protocol::error::Unavailable;

mod tables;

use tables::{Reading, Writing};

/// How many changes one commit carries at most: a bound for the wait of the first of them.
const BATCH: usize = 1024;
/// How long a writer that had several changes to commit waits for those who come next.
const GATHER: Duration = Duration::from_millis(1);
/// How many rows one sweep step drops, so that requests get their turn between the steps.
const SWEEP: usize = 500;
/// redb's page cache; its default of 1 GiB is more than a small container has.
const CACHE_BYTES: usize = 64 << 20;

/// The backend that keeps everything in one file.
pub struct Embedded {
    clock: Arc<dyn Clock>,
    latest: Arc<Latest>,
    // Taken on drop: the writer ends when nobody can send it a change any more.
    changes: Option<mpsc::Sender<Verb>>,
    writer: Option<JoinHandle<()>>,
}

/// One verb, run inside the writer's transaction or told why there is none; answers what to call once the commit has
/// or has not succeeded.
type Verb = Box<dyn FnOnce(Result<&mut Writing<'_>, Failed>) -> Result<Answer, Failed> + Send>;
type Answer = Box<dyn FnOnce(Result<(), Failed>) + Send>;

/// The tables as of the last commit, or why they cannot be read: opened once for all who read until the next one.
type Latest = RwLock<Result<Arc<Reading>, Failed>>;

/// Why a commit failed, as told to everyone who waited for it.
#[derive(Clone)]
struct Failed(Arc<str>);

impl Embedded {
    /// Opens the file at `path` or creates it, readable for its owner only. Housekeeping follows `clock`.
    ///
    /// The whole file is verified, so that damage is reported now and not by a request. Fails with a sentence if
    /// another process has the file open, if the file is damaged or if it is something else.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let file = path.display();
        // Creates it with its mode; redb takes an empty file for a new database.
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("the store {file} cannot be opened"))?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create(path)
            .map_err(|error| anyhow!("the store {file} {}", refusal(error)))?;
        create_tables(&database).with_context(|| format!("the store {file} cannot be set up"))?;

        let latest = Arc::new(Latest::new(latest(&database)));
        let (changes, queue) = mpsc::channel();
        let writer = thread::Builder::new().name("store-writer".to_owned()).spawn({
            let latest = Arc::clone(&latest);
            move || write_until_closed(&database, &latest, &queue)
        })?;
        Ok(Self { clock, latest, changes: Some(changes), writer: Some(writer) })
    }

    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Writing<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        let change: Verb = Box::new(move |rows| {
            match rows.and_then(|rows| verb(rows).map_err(|error| Failed(format!("{error:#}").into()))) {
                Ok(outcome) => Ok(Box::new(move |committed| drop(sender.send(committed.map(|()| outcome))))),
                Err(failed) => {
                    drop(sender.send(Err(failed.clone())));
                    Err(failed)
                }
            }
        });
        if let Some(changes) = &self.changes {
            // If the writer has stopped, the change is dropped with the other end of `answer`.
            drop(changes.send(change));
        }
        let outcome = answer.await.unwrap_or_else(|_| Err(Failed("the writer has stopped".into())));
        outcome.map_err(|Failed(reason)| anyhow!("{reason}").context(Unavailable("the store")))
    }

    /// Right here, on a worker of the runtime: a row comes from the page cache in microseconds, far sooner than another
    /// thread is woken and has answered, and from a disk in about the time of a signature. A commit keeps nobody waiting:
    /// redb holds no lock while the disk syncs.
    fn read<T>(&self, verb: impl FnOnce(&Reading) -> Result<T>) -> Result<T> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner).clone();
        let reading = latest.map_err(|Failed(reason)| anyhow!("{reason}"));
        reading.and_then(|reading| verb(&reading)).context(Unavailable("the store"))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.changes = None;
        if let Some(writer) = self.writer.take() {
            // A writer that has panicked has nothing left to finish.
            drop(writer.join());
        }
    }
}

fn refusal(error: DatabaseError) -> String {
    match error {
        DatabaseError::DatabaseAlreadyOpen => {
            "is open in another process; it belongs to one process at a time, several replicas need Redis".to_owned()
        }
        DatabaseError::Storage(StorageError::Corrupted(detail)) => {
            format!("is damaged ({detail}); restore it from a backup, or move it away to start with an empty one")
        }
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
            format!("is no store, or it is damaged ({error})")
        }
        error => format!("cannot be opened: {error}"),
    }
}

fn create_tables(database: &Database) -> Result<()> {
    let transaction = database.begin_write()?;
    Writing::begin(&transaction)?.adopt_deadlines()?;
    Ok(transaction.commit()?)
}

fn latest(database: &Database) -> Result<Arc<Reading>, Failed> {
    Reading::begin(database).map(Arc::new).map_err(|error| Failed(format!("{error:#}").into()))
}

fn write_until_closed(database: &Database, readable: &Latest, queue: &mpsc::Receiver<Verb>) {
    let mut busy = false;
    while let Ok(first) = queue.recv() {
        if busy {
            // Not by waiting for the queue, because then everyone who comes would have to wake this thread.
            thread::sleep(GATHER);
        }
        let mut answers = Vec::new();
        let mut batch = std::iter::once(first).chain(queue.try_iter()).take(BATCH);
        let outcome = commit(database, &mut batch, &mut answers);
        if let Err(failed) = &outcome {
            tracing::error!(reason = %failed.0, "the store cannot write");
            batch.for_each(|change| drop(change(Err(failed.clone()))));
        }
        busy = answers.len() > 1;
        if outcome.is_ok() {
            // Before anybody hears of it: they read what they wrote.
            *readable.write().unwrap_or_else(PoisonError::into_inner) = latest(database);
        }
        answers.into_iter().for_each(|answer| answer(outcome.clone()));
    }
}

/// Runs the batch in one transaction: all of it is on the disk afterwards, or nothing. What could not even be tried
/// stays in `batch`.
fn commit(
    database: &Database,
    batch: &mut impl Iterator<Item = Verb>,
    answers: &mut Vec<Answer>,
) -> Result<(), Failed> {
    let transaction = database.begin_write().map_err(|error| Failed(error.to_string().into()))?;
    let mut rows = Writing::begin(&transaction).map_err(|error| Failed(format!("{error:#}").into()))?;
    for change in batch {
        answers.push(change(Ok(&mut rows))?);
    }
    drop(rows);
    transaction.commit().map_err(|error| Failed(error.to_string().into()))
}

#[async_trait]
impl Backend for Embedded {
    async fn commit(&self, changes: Arc<[Change]>) -> Result<bool> {
        let now = self.clock.now();
        self.write(move |rows| rows::commit(rows, &changes, now)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.read(|rows| rows::get(rows, key, self.clock.now()))
    }

    async fn consume(&self, key: &str) -> Result<Option<(u64, Vec<u8>)>> {
        let (key, now) = (key.to_owned(), self.clock.now());
        self.write(move |rows| rows::consume(rows, &key, now)).await
    }

    async fn members(&self, group: &str) -> Result<Vec<Vec<u8>>> {
        self.read(|rows| rows::members(rows, group, self.clock.now()))
    }

    async fn remove_group(&self, group: &str) -> Result<()> {
        let (group, now) = (group.to_owned(), self.clock.now());
        self.write(move |rows| rows::remove_group(rows, &group, now)).await
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        let (key, now) = (key.to_owned(), self.clock.now());
        self.write(move |rows| rows::remove(rows, &key, now)).await
    }

    /// Commits nothing, durably: it answers only if the disk still takes writes.
    async fn ping(&self) -> Result<()> {
        self.write(|_| Ok(())).await
    }

    fn keeps_neighbours_together(&self) -> bool {
        true
    }

    async fn sweep(&self) -> Result<()> {
        let now = self.clock.now();
        while self.write(move |rows| rows::sweep(rows, now, SWEEP)).await? == SWEEP {}
        Ok(())
    }
}
