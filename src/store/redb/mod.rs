//! The embedded store in one file, for one process: every acknowledged change is on the disk.
//!
//! After a write that has failed there is no other until the file is opened anew, which redb would not take either:
//! every change then answers that the store is unavailable, and so does `ping`. A restart verifies the file and goes on
//! from the last commit.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use ::redb::{Database, DatabaseError, StorageError};
use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use tokio::sync::oneshot;

use super::backend::{Backend, Page};
use super::change::Change;
use super::rows;
use crate::clock::Clock;
use crate::protocol::error::Unavailable;

mod checkpoint;
mod committed;
mod guard;
mod journal;
mod layer;
mod stored;
mod tables;
mod writer;

use checkpoint::SWEEP;
use committed::Committed;
use layer::Layer;
use tables::{Reading, Writing};
use writer::{Failed, Pending, Verb, Work, Writer, transact};

/// redb's page cache; its default of 1 GiB is more than a small container has.
const CACHE_BYTES: usize = 64 << 20;

/// Keys and sessions are nobody else's business.
const OWNER_ONLY: u32 = 0o600;

/// Takes from a file that was there before what others may do with it.
fn close_to_others(opened: &File, path: &Path) -> Result<()> {
    let (file, mode) = (path.display(), opened.metadata()?.permissions().mode() & 0o777);
    if mode & !OWNER_ONLY == 0 {
        return Ok(());
    }
    opened.set_permissions(Permissions::from_mode(OWNER_ONLY)).with_context(|| {
        format!("others may use the store {file} (mode {mode:o}), and this process cannot change that; `chmod 600` it")
    })?;
    tracing::warn!("others could use the store {file} (mode {mode:o}); from now on only its owner can");
    Ok(())
}

/// The backend that keeps everything in one file.
pub struct Embedded {
    clock: Arc<dyn Clock>,
    committed: Arc<Committed>,
    // Taken on drop: the writer ends when its queue is closed.
    work: Option<mpsc::Sender<Work>>,
    writer: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Opens the file at `path` or creates it, readable for its owner only. Housekeeping follows `clock`.
    ///
    /// The whole file is verified, so that damage is reported now and not by a request. Fails with a sentence if
    /// another process has the file open, if the file is damaged or if it is something else.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let file = path.display();
        // Creates it with its mode; redb takes an empty file for a new database.
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(OWNER_ONLY)
            .open(path)
            .with_context(|| format!("the store {file} cannot be opened"))?;
        close_to_others(&opened, path)?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create(path)
            .map_err(|error| anyhow!("the store {file} {}", refusal(error)))?;
        set_up(&database).with_context(|| format!("the store {file} cannot be set up"))?;
        let mut committed = Layer::over(Arc::new(Reading::begin(&database)?), 0);
        let (journal, commits) = journal::load(&database, &mut committed)
            .with_context(|| format!("the journal of the store {file} cannot be read"))?;
        if commits > 0 {
            tracing::info!(commits, "the store was not closed the last time; it goes on with its journal");
        }

        let committed = Arc::new(Committed::new(committed));
        let (work, queue) = mpsc::channel();
        let writer = Writer::new(database, Arc::clone(&committed), journal);
        let writer = thread::Builder::new().name("store-writer".to_owned()).spawn(move || writer.run(&queue))?;
        Ok(Self { clock, committed, work: Some(work), writer: Some(writer) })
    }

    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Pending<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        let verb: Verb = Box::new(move |rows| match rows.and_then(|rows| Ok(verb(rows)?)) {
            Ok(outcome) => Ok(Box::new(move |committed| drop(sender.send(committed.map(|()| outcome))))),
            Err(failed) => {
                drop(sender.send(Err(failed.clone())));
                Err(failed)
            }
        });
        self.ask(Work::Change(verb), answer).await
    }

    async fn chore<T: Send + 'static>(
        &self,
        chore: impl FnOnce(&mut Writer) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        self.ask(Work::Chore(Box::new(move |writer| drop(sender.send(chore(writer))))), answer).await
    }

    /// Sends the writer some work, and waits for its answer.
    async fn ask<T>(&self, work: Work, answer: oneshot::Receiver<Result<T, Failed>>) -> Result<T> {
        if let Some(writer) = &self.work {
            // If it has stopped, the work is dropped with the other end of `answer`.
            drop(writer.send(work));
        }
        let outcome = answer.await.unwrap_or_else(|_| Err(Failed("the writer has stopped".into())));
        outcome.map_err(unavailable)
    }

    /// On this worker of the runtime: a row comes from the page cache in microseconds, sooner than another thread would
    /// wake, and from a disk in about the time of a signature.
    fn read<T>(&self, verb: impl FnOnce(&Committed) -> Result<T>) -> Result<T> {
        verb(&self.committed).context(Unavailable("the store"))
    }
}

fn unavailable(Failed(reason): Failed) -> anyhow::Error {
    anyhow!("{reason}").context(Unavailable("the store"))
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.work = None;
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

/// Creates what is missing and brings the tables up to date. A file that is as it should be is not written to, because
/// its disk may be full.
fn set_up(database: &Database) -> Result<()> {
    if Reading::begin(database).and_then(|tables| tables.has_no_deadlines()).unwrap_or(false) {
        return Ok(());
    }
    transact(database, |transaction| {
        guard::put_up(transaction)?;
        Writing::begin(transaction)?.adopt_deadlines()
    })
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
        self.read(|rows| rows::members(&rows.part(group), group, self.clock.now()))
    }

    async fn page(&self, group: &str, after: Option<&str>, limit: usize) -> Result<Page<Vec<u8>>> {
        self.read(|rows| rows::page(&rows.part(group), group, after, limit, self.clock.now()))
    }

    async fn count(&self, group: &str) -> Result<usize> {
        self.read(|rows| rows::count(&rows.part(group), group, self.clock.now()))
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
        let (now, end) = (self.clock.now(), self.chore(|writer| Ok(writer.journal.next())).await?);
        while !self.chore(move |writer| writer.have_copied(end)).await? {}
        while self.chore(move |writer| writer.sweep(now)).await? == SWEEP {}
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        self.chore(Writer::close).await
    }
}
