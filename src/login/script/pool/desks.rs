//! The processes of a pool, what they cost, and which of those who wait may use them next.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::job::Process;
use super::standing::Standing;
use crate::login::script::{MEMORY, ScriptLimits};

/// What a process holds before it has said how much.
const FRESH: u64 = 3 << 20;
/// A process that holds more gets no further run.
pub(super) const FULL: u64 = 12 << 20;
/// What waits with more than this makes room for those who have nothing.
const MUCH: u64 = 8 << 20;
/// Most runs of one process.
const RUNS: usize = 32;
/// So many tenants are remembered before those with nothing to remember are forgotten.
const STANDINGS: usize = 4096;

/// The processes, and what is remembered of their tenants.
#[derive(Default)]
pub(super) struct Desks {
    pub(super) by_id: BTreeMap<u64, Desk>,
    pub(super) standings: HashMap<Arc<str>, Standing>,
    last: u64,
}

/// One process, as the floor sees it.
pub(super) struct Desk {
    pub(super) owner: Arc<str>,
    pub(super) runs: usize,
    pub(super) turn: Option<Turn>,
    /// Bytes that it holds, as it said last.
    pub(super) held: u64,
    /// Bytes for a computation of the turn.
    pub(super) computation: u64,
    /// What it has computed, as it said last.
    pub(super) computed: Duration,
    /// Whether it has a low priority, for good.
    pub(super) is_slow: bool,
    /// Whether it is about to end.
    is_ending: bool,
    pub(super) process: Option<Process>,
}

pub(super) struct Turn {
    pub(super) began: Instant,
    pub(super) is_heavy: bool,
}

/// Where a run gets its turn.
pub(super) enum Place {
    Desk(u64),
    New,
}

impl Desks {
    /// Who of those that wait gets a turn, and where: of the tenants that may, the one with the fewest turns, and of
    /// these the one that has computed least.
    pub(super) fn next<'w>(
        &self,
        waiting: impl Iterator<Item = (&'w Arc<str>, Option<u64>)>,
        limits: &ScriptLimits,
    ) -> Option<(usize, Place)> {
        let now = Instant::now();
        let turns = |heavy: bool| {
            let begun = self.by_id.values().filter_map(|desk| desk.turn.as_ref());
            begun.filter(|turn| turn.is_heavy == heavy).count()
        };
        let free = [limits.turns.saturating_sub(turns(false)), limits.heavy_turns.saturating_sub(turns(true))];
        let mut seen = HashSet::new();
        let open = waiting.enumerate().filter_map(|(index, (tenant, desk))| {
            if !seen.insert((tenant, desk)) {
                return None;
            }
            let is_heavy = self.is_heavy(tenant, now);
            let own = self.of(tenant).filter(|desk| desk.turn.is_some()).count();
            let free = free[usize::from(is_heavy)];
            if free == 0 || (is_heavy && own > 0 && own >= free) {
                return None;
            }
            let place = self.place(tenant, desk, is_heavy, limits)?;
            let computed = self.standings.get(tenant).map_or(Duration::ZERO, |it| it.computed(now));
            Some(((own, computed, index), place))
        });
        let ((.., index), place) = open.min_by_key(|(order, _)| *order)?;
        Some((index, place))
    }

    fn place(&self, tenant: &Arc<str>, desk: Option<u64>, is_heavy: bool, limits: &ScriptLimits) -> Option<Place> {
        let most = limits.processes_memory();
        let mut free = most.saturating_sub(self.charge(false));
        if is_heavy {
            free = free.min((most / 2).saturating_sub(self.charge(true)));
        }
        let is_quiet = self.by_id.values().all(|desk| desk.turn.is_none());
        // What waits holds memory until it goes on: one always may.
        let may_turn = MEMORY as u64 <= free || is_quiet;
        if let Some(id) = desk {
            let is_free = self.by_id.get(&id).is_some_and(|desk| desk.turn.is_none());
            return (is_free && may_turn).then_some(Place::Desk(id));
        }
        let own: u64 = self.of(tenant).map(|desk| desk.held).sum();
        let fits = |more: u64| more <= free && (own == 0 || own + more <= free);
        if !fits(MEMORY as u64) {
            return None;
        }
        let usable = |desk: &&(&u64, &Desk)| desk.1.may_take(tenant, is_heavy);
        let best = self.by_id.iter().filter(|desk| usable(&desk)).min_by_key(|(_, desk)| {
            // Its own with a run in it first, so that the others stay for others.
            (desk.owner != *tenant, desk.runs == 0, desk.held)
        });
        if let Some((id, _)) = best {
            return Some(Place::Desk(*id));
        }
        fits(FRESH + MEMORY as u64).then_some(Place::New)
    }

    /// The turn of a run of `tenant` begins there; `is_new` if the run does, too. The process, and whether the turn has
    /// to make way for others.
    pub(super) fn begin(&mut self, place: Place, tenant: &Arc<str>, is_new: bool) -> (u64, bool) {
        let now = Instant::now();
        let is_heavy = self.is_heavy(tenant, now);
        let id = match place {
            Place::Desk(id) => id,
            Place::New => {
                self.last += 1;
                self.last
            }
        };
        let desk = self.by_id.entry(id).or_insert_with(|| Desk::new(tenant));
        desk.turn = Some(Turn { began: now, is_heavy });
        desk.is_slow |= is_heavy;
        if is_new {
            desk.owner = Arc::clone(tenant);
            desk.runs += 1;
        }
        (id, is_heavy)
    }

    /// Those that `tenant` uses.
    pub(super) fn of(&self, tenant: &Arc<str>) -> impl Iterator<Item = &Desk> {
        self.by_id.values().filter(move |desk| desk.owner == *tenant && (desk.runs > 0 || desk.turn.is_some()))
    }

    /// Bytes of all computations that go on.
    pub(super) fn computations(&self) -> u64 {
        self.by_id.values().map(|desk| desk.computation).sum()
    }

    /// Bytes that they may hold before somebody is asked again: all, or those with a low priority.
    fn charge(&self, slow_alone: bool) -> u64 {
        self.by_id.values().filter(|desk| desk.is_slow || !slow_alone).map(Desk::charge).sum()
    }

    /// Which process has to go, because it waits with so much memory that a tenant who has nothing finds no place.
    pub(super) fn in_the_way<'w>(
        &mut self,
        mut waiting: impl Iterator<Item = (&'w Arc<str>, Option<u64>)>,
        limits: &ScriptLimits,
    ) -> Option<Process> {
        let free = limits.processes_memory().saturating_sub(self.charge(false));
        let is_left_out = |(tenant, desk): (&Arc<str>, Option<u64>)| desk.is_none() && self.of(tenant).next().is_none();
        if free >= FRESH + MEMORY as u64 || !waiting.any(is_left_out) || self.by_id.values().any(|desk| desk.is_ending)
        {
            return None;
        }
        let waits = self.by_id.values_mut().filter(|desk| desk.turn.is_none() && desk.runs > 0 && desk.held > MUCH);
        let biggest = waits.max_by_key(|desk| desk.held)?;
        biggest.is_ending = true;
        biggest.process.clone()
    }

    fn is_heavy(&self, tenant: &str, now: Instant) -> bool {
        self.standings.get(tenant).is_some_and(|standing| standing.is_heavy(now))
    }

    /// What is remembered of `tenant`.
    pub(super) fn standing(&mut self, tenant: &Arc<str>, now: Instant) -> &mut Standing {
        if self.standings.len() >= STANDINGS {
            self.standings.retain(|_, standing| !standing.is_forgotten(now));
        }
        self.standings.entry(Arc::clone(tenant)).or_insert_with(|| Standing::new(now))
    }
}

impl Desk {
    fn new(owner: &Arc<str>) -> Self {
        Self {
            owner: Arc::clone(owner),
            runs: 0,
            turn: None,
            held: FRESH,
            computation: 0,
            computed: Duration::ZERO,
            is_slow: false,
            is_ending: false,
            process: None,
        }
    }

    /// Bytes that it may hold before somebody is asked again.
    fn charge(&self) -> u64 {
        self.held + if self.turn.is_some() { MEMORY as u64 } else { 0 }
    }

    fn may_take(&self, tenant: &Arc<str>, is_heavy: bool) -> bool {
        let is_free = self.turn.is_none() && !self.is_ending && self.held <= FULL && self.process.is_some();
        // A fast process becomes a slow one, but never the other way round.
        let fits = !self.is_slow || is_heavy;
        is_free && fits && (self.runs == 0 || (self.owner == *tenant && self.runs < RUNS))
    }
}
