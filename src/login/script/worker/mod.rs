//! The process that runs scripts: it reads orders, runs one turn after the other, and knows nobody but its server. It has
//! no environment, opens no file and no connection, and lives as long as its server wants it to.

use std::collections::HashMap;
use std::io::{self, BufWriter};
use std::rc::Rc;

use anyhow::Result;

use self::channel::Channel;
use self::engine::Engine;
use super::wire::{self, Allowance, Order, Over, Word};

mod channel;
mod confine;
pub(super) mod engine;
mod host;
mod parts;
mod reading;
mod run;

/// The argument by which this program becomes such a process.
pub const WORKER: &str = "script-worker";

/// Serves one server over standard input and output, until that closes them.
///
/// # Errors
/// The process cannot be confined, or the server says what nobody understands.
pub fn serve() -> Result<()> {
    let confined = confine::confine(super::MEMORY as u64, super::MAX_COMPUTATION)?;
    let channel = Rc::new(Channel::new(io::stdin().lock(), BufWriter::new(io::stdout().lock()), confined));
    let mut engines = HashMap::new();
    // Made while nobody waits.
    let mut spare = Some(Engine::blank(&channel)?);
    while let Some(order) = channel.receive()? {
        let (id, time, turn) = match order {
            Order::Begin { run, source, question, time } => {
                let engine = match spare.take() {
                    Some(engine) => engine,
                    None => Engine::blank(&channel)?,
                };
                (run, time, Turn::Begin(engine, source.into_owned(), question.into_owned()))
            }
            Order::Arrive { run, arrival, time } => match engines.remove(&run) {
                Some(engine) => (run, time, Turn::Go(engine, arrival)),
                None => continue,
            },
            Order::Forget { run } => {
                engines.remove(&run);
                continue;
            }
            Order::Granted(_) => continue,
        };
        if let Some(engine) = channel.turn(time, || turn.take(time))? {
            engines.insert(id, engine);
        }
        if spare.is_none() {
            spare = Some(Engine::blank(&channel)?);
        }
    }
    Ok(())
}

/// What happens in a turn.
enum Turn {
    Begin(Engine, String, super::question::Question),
    Go(Engine, wire::Arrival),
}

impl Turn {
    /// The end of the turn, and the engine if the script waits.
    fn take(self, time: Allowance) -> (Word, Option<Engine>) {
        let (outcome, engine) = match self {
            Self::Begin(mut engine, source, question) => {
                engine.turn_begins(time);
                (engine.begin(&source, question), engine)
            }
            Self::Go(engine, arrival) => {
                engine.turn_begins(time);
                (engine.go_on(arrival), engine)
            }
        };
        let outcome = outcome.transpose();
        let was_stopped = engine.was_stopped();
        let waiting = outcome.is_none().then_some(engine);
        (Word::Over(Over { outcome, was_stopped, held: confine::held(), computed: confine::computed() }), waiting)
    }
}
