//! The one thread that writes.
//!
//! A commit costs a sync of the disk and much other work, so all changes that wait are committed together. Rows lie in
//! the order of their digests: each change of a table is in a page of its own, which is written whole. So a commit only
//! appends to a journal, and a checkpoint copies it to the tables when some thousand rows have come together.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ::redb::{Database, WriteTransaction};
use anyhow::Result;

use super::committed::Committed;
use super::guard;
use super::journal::{Checkpoint, Journal};
use super::layer::Layer;
use super::tables::Reading;

/// Most changes of one commit: a bound for how long the first of them waits.
const BATCH: usize = 1024;
/// How long a writer that has just committed several changes waits for more.
const GATHER: Duration = Duration::from_millis(2);
/// How much the journal may hold before a checkpoint begins: about a bound for the memory of its rows, and for the time
/// that a start after a crash takes.
const JOURNAL_BYTES: usize = 4 << 20;

/// What the writer is asked for.
pub(super) enum Work {
    Change(Verb),
    /// Between two commits, nothing else being under way.
    Chore(Chore),
}

pub(super) type Chore = Box<dyn FnOnce(&mut Writer) + Send>;

/// One verb, run on what is committed, or given the reason why nothing can be written; answers what to call once its own
/// changes are committed or have failed.
pub(super) type Verb = Box<dyn FnOnce(Result<&mut Pending<'_>, Failed>) -> Result<Answer, Failed> + Send>;
pub(super) type Answer = Box<dyn FnOnce(Result<(), Failed>) + Send>;

/// Changes that are yet to be committed.
pub(super) type Pending<'c> = Layer<&'c Layer<Arc<Reading>>>;

/// Why nothing was written, for everyone who waited for it.
#[derive(Clone)]
pub(super) struct Failed(pub(super) Arc<str>);

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self(format!("{error:#}").into())
    }
}

/// The writer's end of the store.
pub(super) struct Writer {
    pub(super) database: Database,
    pub(super) committed: Arc<Committed>,
    pub(super) journal: Journal,
    /// The checkpoint that is under way.
    pub(super) checkpoint: Option<Checkpoint>,
    /// 2 × rows changed during checkpoints − rows copied. Slices grow with it: copying stays ahead of what arrives.
    pub(super) owed: usize,
    pub(super) is_guarded: bool,
    /// Why nothing can be written any more.
    failed: Option<Failed>,
}

impl Writer {
    /// `committed` has all that is in `journal`.
    pub(super) fn new(database: Database, committed: Arc<Committed>, journal: Journal) -> Self {
        Self { database, committed, journal, checkpoint: None, owed: 0, is_guarded: false, failed: None }
    }

    /// Works until the queue is closed.
    pub(super) fn run(mut self, queue: &mpsc::Receiver<Work>) {
        let mut busy = false;
        while let Ok(first) = self.wait(queue) {
            if busy {
                // Not by waiting for the queue, as every sender would then have to wake this thread.
                thread::sleep(GATHER);
            }
            let (mut verbs, mut chores) = (Vec::new(), Vec::new());
            for work in first.into_iter().chain(queue.try_iter()).take(BATCH) {
                match work {
                    Work::Change(verb) => verbs.push(verb),
                    Work::Chore(chore) => chores.push(chore),
                }
            }
            busy = verbs.len() > 1;
            self.change(verbs);
            chores.into_iter().for_each(|chore| chore(&mut self));
            if self.failed.is_none() && (self.checkpoint.is_some() || self.journal.bytes() >= JOURNAL_BYTES) {
                self.copy_slice().unwrap_or_else(report);
            }
        }
        self.close().unwrap_or_else(report);
    }

    /// Waits for work, unless there is some left to be done in its absence.
    fn wait(&self, queue: &mpsc::Receiver<Work>) -> Result<Option<Work>, mpsc::TryRecvError> {
        if self.checkpoint.is_none() {
            return queue.recv().map(Some).map_err(|_| mpsc::TryRecvError::Disconnected);
        }
        match queue.try_recv() {
            Err(mpsc::TryRecvError::Empty) => Ok(None),
            work => work.map(Some),
        }
    }

    /// Commits what `verbs` change, all or nothing, and answers them.
    fn change(&mut self, verbs: Vec<Verb>) {
        if verbs.is_empty() {
            return;
        }
        let mut answers = Vec::with_capacity(verbs.len());
        let mut verbs = verbs.into_iter();
        let outcome = self.commit(&mut verbs, &mut answers);
        if let Err(failed) = &outcome {
            report(failed.clone());
            verbs.for_each(|verb| drop(verb(Err(failed.clone()))));
        }
        answers.into_iter().for_each(|answer| answer(outcome.clone()));
    }

    /// What could not even be tried stays in `verbs`.
    fn commit(&mut self, verbs: &mut impl Iterator<Item = Verb>, answers: &mut Vec<Answer>) -> Result<(), Failed> {
        let committed = Arc::clone(&self.committed);
        let changes = {
            let committed = committed.read();
            let mut pending = Layer::over(&*committed, self.journal.next());
            for verb in verbs {
                answers.push(verb(Ok(&mut pending))?);
            }
            pending.into_changes()
        };
        // Without a change there is a commit all the same, which is how one asks whether the disk still takes writes.
        self.write(|journal, transaction| journal.append(transaction, &changes))?;
        self.journal.count(&changes);
        if self.checkpoint.is_some() {
            self.owed += 2 * changes.len();
        }
        // Before the answers, so that everyone reads what they wrote.
        committed.add(changes);
        // If they cannot be read this time, they can be the next time; the rows in them are the same.
        if let Ok(tables) = Reading::begin(&self.database) {
            committed.read_anew(tables);
        }
        Ok(())
    }

    /// Runs `write` in a transaction, unless an earlier one has failed: then the journal would only grow.
    pub(super) fn write<T>(
        &mut self,
        write: impl FnOnce(&Journal, &WriteTransaction) -> Result<T>,
    ) -> Result<T, Failed> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let outcome = transact(&self.database, |transaction| {
            if !self.is_guarded {
                guard::put_up(transaction)?;
            }
            write(&self.journal, transaction)
        });
        self.is_guarded |= outcome.is_ok();
        outcome.map_err(|error| self.failed.insert(error.into()).clone())
    }
}

fn report(failed: Failed) {
    tracing::error!(reason = %failed.0, "the store cannot write");
}

/// Runs `write` in a transaction: all of it is on the disk afterwards, or nothing.
pub(super) fn transact<T>(database: &Database, write: impl FnOnce(&WriteTransaction) -> Result<T>) -> Result<T> {
    let transaction = database.begin_write()?;
    let outcome = write(&transaction)?;
    transaction.commit()?;
    Ok(outcome)
}
