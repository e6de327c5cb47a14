//! The one thread that writes.
//!
//! A commit costs one sync of the disk and a good deal of work besides, so all changes that wait are committed together:
//! a busy server pays once where it would otherwise pay a hundred times. And because rows lie in the order of their
//! digests, each change is in a page of its own, which is written whole; so a commit only appends to a journal, and the
//! tables follow when some thousand rows have come together, most of whose pages are then shared, and many of which have
//! ended meanwhile.

use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use ::redb::{Database, WriteTransaction};
use anyhow::{Result, anyhow};

use super::journal::{self, Journal};
use super::layer::Layer;
use super::tables::{Reading, Writing};
use crate::clock::Timestamp;
use crate::store::rows;

/// How many changes one commit carries at most: a bound for the wait of the first of them.
const BATCH: usize = 1024;
/// How long a writer that had several changes to commit waits for those who come next.
const GATHER: Duration = Duration::from_millis(2);
/// How much the journal may hold before the tables follow: a bound for the memory that its rows take, for the time that
/// a start after a crash needs, and for how long writers wait meanwhile.
const JOURNAL_BYTES: usize = 4 << 20;
/// How many rows one sweep step drops, so that requests get their turn between the steps.
pub(super) const SWEEP: usize = 500;

/// What the writer is asked for.
pub(super) enum Work {
    Change(Verb),
    /// Between two commits, nothing else being under way.
    Chore(Chore),
}

pub(super) type Chore = Box<dyn FnOnce(&mut Writer) + Send>;

/// One verb, run over what is committed or told why it cannot be read; answers what to call once its changes are or are
/// not committed too.
pub(super) type Verb = Box<dyn FnOnce(Result<&mut Pending<'_>, Failed>) -> Result<Answer, Failed> + Send>;
pub(super) type Answer = Box<dyn FnOnce(Result<(), Failed>) + Send>;

/// The changes of the journal, over the tables as of the last time they followed; or why those cannot be read.
pub(super) type Committed = RwLock<Result<Layer<Reading>, Failed>>;
/// Changes that are yet to be committed.
pub(super) type Pending<'c> = Layer<&'c Layer<Reading>>;

/// Why nothing was written or read, as told to everyone who waited for it.
#[derive(Clone)]
pub(super) struct Failed(pub(super) Arc<str>);

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self(format!("{error:#}").into())
    }
}

/// The tables of a database whose journal is empty.
pub(super) fn committed(database: &Database) -> Result<Layer<Reading>, Failed> {
    Ok(Layer::over(Reading::begin(database)?))
}

/// The writer's end of the store.
pub(super) struct Writer {
    database: Database,
    committed: Arc<Committed>,
    journal: Journal,
}

impl Writer {
    /// A writer to a file whose journal is empty.
    pub(super) fn new(database: Database, committed: Arc<Committed>) -> Self {
        Self { database, committed, journal: Journal::default() }
    }

    /// Works until nobody can send any more.
    pub(super) fn run(mut self, queue: &mpsc::Receiver<Work>) {
        let mut busy = false;
        while let Ok(first) = queue.recv() {
            if busy {
                // Not by waiting for the queue, because then everyone who comes would have to wake this thread.
                thread::sleep(GATHER);
            }
            let (mut verbs, mut chores) = (Vec::new(), Vec::new());
            for work in std::iter::once(first).chain(queue.try_iter()).take(BATCH) {
                match work {
                    Work::Change(verb) => verbs.push(verb),
                    Work::Chore(chore) => chores.push(chore),
                }
            }
            busy = verbs.len() > 1;
            self.change(verbs);
            chores.into_iter().for_each(|chore| chore(&mut self));
            if self.journal.bytes() >= JOURNAL_BYTES {
                self.let_tables_follow().unwrap_or_else(report);
            }
        }
        self.let_tables_follow().unwrap_or_else(report);
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
        if self.committed.read().unwrap_or_else(PoisonError::into_inner).is_err() {
            self.show_tables()?;
        }
        let changes = {
            let committed = self.committed.read().unwrap_or_else(PoisonError::into_inner);
            let mut pending = Layer::over(committed.as_ref().map_err(Failed::clone)?);
            for verb in verbs {
                answers.push(verb(Ok(&mut pending))?);
            }
            pending.into_changes()
        };
        // Without a change there is a commit all the same, which is how one asks whether the disk still takes writes.
        transact(&self.database, |transaction| self.journal.append(transaction, &changes))?;
        self.journal.count(&changes);
        let tables = Reading::begin(&self.database);
        // Before anybody hears of it: they read what they wrote.
        if let Ok(committed) = self.committed.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            committed.add(changes);
            // The tables are as they were, but whoever reads an older commit keeps the pages of that moment in use, and
            // the journal leaves some behind at every commit. Without a new one this time, there is one the next time.
            if let Ok(tables) = tables {
                committed.rest_on(tables);
            }
        }
        Ok(())
    }

    /// Makes the changes of the journal in the tables. If the disk refuses, they stay where they are.
    pub(super) fn let_tables_follow(&mut self) -> Result<(), Failed> {
        if self.journal.bytes() == 0 {
            return Ok(());
        }
        transact(&self.database, |transaction| {
            let committed = self.committed.read().unwrap_or_else(PoisonError::into_inner);
            let committed = committed.as_ref().map_err(|Failed(reason)| anyhow!("{reason}"))?;
            committed.changes().make_in(&mut Writing::begin(transaction)?)?;
            journal::clear(transaction)
        })?;
        self.journal = Journal::default();
        self.show_tables()
    }

    /// Drops some of what is overdue, and gives how many rows it has looked at.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Result<usize, Failed> {
        self.let_tables_follow()?;
        let seen = transact(&self.database, |transaction| rows::sweep(&mut Writing::begin(transaction)?, now, SWEEP))?;
        self.show_tables()?;
        Ok(seen)
    }

    /// From now on everybody reads the tables as they are.
    fn show_tables(&self) -> Result<(), Failed> {
        let tables = committed(&self.database);
        let outcome = tables.as_ref().map(drop).map_err(Failed::clone);
        let mut committed = self.committed.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *committed, tables);
        drop(committed);
        // Some thousand rows; nobody needs to wait until they are taken apart.
        drop(before);
        outcome
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
