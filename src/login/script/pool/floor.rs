//! Who may compute next, and where: the processes, the runs that wait for a turn, and what both may cost.
//!
//! A process belongs to one tenant as long as it has a run of it, because ending it ends all its runs. Tenants whose turns
//! are short share the processor as they come. Those with long turns have places and a priority of their own, where they
//! get in the way of each other alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::desks::{Desks, FULL, Place};
use super::job::Process;
use crate::login::script::wire::Over;
use crate::login::script::{MAX_COMPUTATION, ScriptLimits};

/// The processes and who waits for them.
pub(super) struct Floor {
    limits: ScriptLimits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    desks: Desks,
    queue: VecDeque<Waiting>,
}

/// A run that waits for a turn.
struct Waiting {
    tenant: Arc<str>,
    /// The process that it is in already.
    desk: Option<u64>,
    wake: oneshot::Sender<Grant>,
}

/// A turn that a run may take. Given back when it is dropped without having been used.
pub(super) struct Grant {
    floor: Arc<Floor>,
    pub(super) desk: u64,
    pub(super) is_heavy: bool,
    is_new: bool,
    is_used: bool,
}

impl State {
    fn next(&self, limits: &ScriptLimits) -> Option<(usize, Place)> {
        self.desks.next(self.queue.iter().map(|waiting| (&waiting.tenant, waiting.desk)), limits)
    }

    fn make_room(&mut self, limits: &ScriptLimits) {
        let waiting = self.queue.iter().map(|waiting| (&waiting.tenant, waiting.desk));
        if let Some(process) = self.desks.in_the_way(waiting, limits) {
            process.stop.notify_one();
        }
    }
}

impl Floor {
    /// No process yet.
    pub(super) fn new(limits: ScriptLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// A turn for a run of `tenant`, which is at `desk` already unless it begins; `None` if that process is gone. Waits
    /// until there is one.
    pub(super) async fn turn(self: &Arc<Self>, tenant: &Arc<str>, desk: Option<u64>) -> Option<Grant> {
        let (wake, granted) = oneshot::channel();
        self.state().queue.push_back(Waiting { tenant: Arc::clone(tenant), desk, wake });
        self.seat();
        granted.await.ok()
    }

    /// The process of a desk; `None` if it has to be started.
    pub(super) fn process(&self, desk: u64) -> Option<Process> {
        self.state().desks.by_id.get(&desk)?.process.clone()
    }

    /// The process of a desk was started.
    pub(super) fn started(&self, desk: u64, process: Process) {
        if let Some(desk) = self.state().desks.by_id.get_mut(&desk) {
            desk.process = Some(process);
        }
    }

    /// A turn is over.
    pub(super) fn turn_over(self: &Arc<Self>, desk: u64, over: &Over) {
        let mut state = self.state();
        if let Some(desk) = state.desks.by_id.get_mut(&desk) {
            let computed = over.computed.saturating_sub(desk.computed);
            let (owner, now) = (Arc::clone(&desk.owner), Instant::now());
            (desk.turn, desk.held, desk.computed, desk.computation) = (None, over.held, over.computed, 0);
            let standing = state.desks.standing(&owner, now);
            standing.count(computed, now);
            if computed >= self.limits.patience {
                standing.was_long(now);
            }
            if over.was_stopped {
                standing.strike(now);
            }
        }
        drop(state);
        self.seat();
    }

    /// A run has left its process; the process ends if nobody may use it any more.
    pub(super) fn leave(self: &Arc<Self>, id: u64) {
        let mut state = self.state();
        if let Some(desk) = state.desks.by_id.get_mut(&id) {
            desk.runs = desk.runs.saturating_sub(1);
            if desk.runs == 0
                && desk.held > FULL
                && let Some(process) = &desk.process
            {
                process.stop.notify_one();
            }
        }
        drop(state);
        self.seat();
    }

    /// A turn has computed for long: from here on it is in nobody's way. Of too many such turns the oldest is ended.
    pub(super) fn slow(self: &Arc<Self>, id: u64) {
        let mut state = self.state();
        if let Some(desk) = state.desks.by_id.get_mut(&id) {
            desk.is_slow = true;
            desk.turn.iter_mut().for_each(|turn| turn.is_heavy = true);
            let (owner, now) = (Arc::clone(&desk.owner), Instant::now());
            state.desks.standing(&owner, now).was_long(now);
        }
        let heavy = state.desks.by_id.values().filter_map(|desk| Some((desk.turn.as_ref()?, desk)));
        let mut heavy: Vec<_> = heavy.filter(|(turn, _)| turn.is_heavy).collect();
        heavy.sort_by_key(|(turn, _)| turn.began);
        let too_many = heavy.len().saturating_sub(2 * self.limits.heavy_turns);
        heavy.iter().take(too_many).filter_map(|(_, desk)| desk.process.as_ref()).for_each(|p| p.stop.notify_one());
        drop(state);
        self.seat();
    }

    /// The process of a desk has ended; `was_bad` if a script is to blame.
    pub(super) fn gone(self: &Arc<Self>, id: u64, was_bad: bool) {
        let mut state = self.state();
        if let Some(desk) = state.desks.by_id.remove(&id).filter(|_| was_bad) {
            let now = Instant::now();
            let standing = state.desks.standing(&desk.owner, now);
            standing.strike(now);
            let pause = standing.pause(now).unwrap_or_default();
            let tenant = &*desk.owner;
            tracing::warn!(tenant, ?pause, "the process of a login script was ended; the scripts of this tenant pause");
        }
        // Those who wait for it hear that it is gone.
        state.queue.retain(|waiting| waiting.desk != Some(id));
        drop(state);
        self.seat();
    }

    /// Whether nobody uses the process of a desk, which is then forgotten.
    pub(super) fn retires(&self, id: u64) -> bool {
        let mut state = self.state();
        let is_idle = state.desks.by_id.get(&id).is_none_or(|desk| desk.runs == 0 && desk.turn.is_none());
        if is_idle {
            state.desks.by_id.remove(&id);
        }
        is_idle
    }

    /// How long no script of `tenant` runs, because others of it had to be stopped.
    pub(super) fn pause(&self, tenant: &str) -> Option<Duration> {
        self.state().desks.standings.get(tenant)?.pause(Instant::now())
    }

    /// Takes so many bytes for a computation of the turn at `desk`, until the turn is over; `false` if they are not there.
    pub(super) fn compute(&self, id: u64, bytes: u64) -> bool {
        let mut state = self.state();
        let Some(owner) = state.desks.by_id.get(&id).map(|desk| Arc::clone(&desk.owner)) else { return false };
        let own: u64 = state.desks.of(&owner).filter(|desk| desk.computation > 0).map(|desk| desk.computation).sum();
        let free = MAX_COMPUTATION.saturating_sub(state.desks.computations());
        let Some(desk) = state.desks.by_id.get_mut(&id) else { return false };
        // A second one in the same turn has the memory of the first.
        let more = bytes.saturating_sub(desk.computation);
        let may = more <= free && (own == desk.computation || own + more <= free);
        desk.computation += if may { more } else { 0 };
        may
    }

    fn seat(self: &Arc<Self>) {
        let mut unused = Vec::new();
        let mut state = self.state();
        state.queue.retain(|waiting| !waiting.wake.is_closed());
        while let Some((index, place)) = state.next(&self.limits) {
            let Some(waiting) = state.queue.remove(index) else { break };
            let is_new = waiting.desk.is_none();
            let (desk, is_heavy) = state.desks.begin(place, &waiting.tenant, is_new);
            let grant = Grant { floor: Arc::clone(self), desk, is_heavy, is_new, is_used: false };
            unused.extend(waiting.wake.send(grant).err());
        }
        state.make_room(&self.limits);
        drop(state);
        // Giving a turn back needs the lock.
        drop(unused);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grant {
    /// The turn begins, and ends with [`Floor::turn_over`] or [`Floor::gone`].
    pub(super) fn used(mut self) {
        self.is_used = true;
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if self.is_used {
            return;
        }
        let mut state = self.floor.state();
        if let Some(desk) = state.desks.by_id.get_mut(&self.desk) {
            desk.turn = None;
            desk.runs = desk.runs.saturating_sub(usize::from(self.is_new));
            if desk.process.is_none() {
                state.desks.by_id.remove(&self.desk);
            }
        }
        drop(state);
        self.floor.seat();
    }
}
