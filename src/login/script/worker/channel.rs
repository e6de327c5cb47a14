//! The way to the server. Whoever cannot speak to it any more has nothing left to do.

use std::cell::{Cell, RefCell};
use std::io::{BufWriter, StdinLock, StdoutLock, Write};
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::confine::{self, Confined};
use crate::login::script::error::ScriptError;
use crate::login::script::wire::{self, Allowance, Order, Word};

/// Standard input and output, and the limits of this process.
pub(super) struct Channel {
    orders: RefCell<StdinLock<'static>>,
    words: RefCell<BufWriter<StdoutLock<'static>>>,
    confined: Confined,
    /// When the turn is over at the latest, by the clock and by what this process has computed.
    until: Cell<(Instant, Duration)>,
}

impl Channel {
    pub(super) fn new(orders: StdinLock<'static>, words: BufWriter<StdoutLock<'static>>, confined: Confined) -> Self {
        Self {
            orders: orders.into(),
            words: words.into(),
            confined,
            until: Cell::new((Instant::now(), Duration::ZERO)),
        }
    }

    /// The next order; `None` when the server is gone.
    pub(super) fn receive(&self) -> Result<Option<Order<'static>>> {
        Ok(wire::receive(&mut *self.orders.borrow_mut())?)
    }

    /// One turn: `work` gives the last word of it.
    pub(super) fn turn<T>(&self, time: Allowance, work: impl FnOnce() -> (Word, T)) -> Result<T> {
        self.until.set((Instant::now() + time.left, confine::computed() + time.busy));
        self.confined.expect_end(time.busy)?;
        let (over, rest) = work();
        self.say(&over);
        self.words.borrow_mut().flush()?;
        Ok(rest)
    }

    /// Why the turn has to end, once it took all of its time. On a busy machine, waiting for the processor is no computing.
    pub(super) fn exceeded(&self, time: Allowance) -> Option<ScriptError> {
        let (until, computed) = self.until.get();
        if Instant::now() >= until {
            return Some(ScriptError::Timeout(time.timeout));
        }
        (confine::computed() >= computed).then_some(ScriptError::Busy(time.busy))
    }

    /// Tells the server.
    pub(super) fn say(&self, word: &Word) {
        if wire::send(&mut *self.words.borrow_mut(), word).is_err() {
            std::process::exit(0);
        }
    }

    /// Computes what needs so many bytes, when the server has them; `None` if it has not.
    pub(super) fn computing<T>(&self, bytes: u64, work: impl FnOnce() -> T) -> Option<T> {
        self.say(&Word::Need { bytes });
        let granted =
            self.words.borrow_mut().flush().is_ok() && matches!(self.receive(), Ok(Some(Order::Granted(true))));
        if !granted || self.confined.widen(bytes).is_err() {
            return None;
        }
        let result = work();
        // The limit below what is in use takes nothing away, it only refuses more.
        drop(self.confined.narrow());
        Some(result)
    }
}
